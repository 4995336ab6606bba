/**
 * `npm run bench [NAME…]`: runs every bench of test/bench/*.bench.ts (or those whose name begins with NAME), one JSON line
 * a result on stdout, then a table on stderr. Nothing here fails because something is slow; a missed target is shown.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { readOptions, wrongUsage } from '../usage.ts';
import type { Bench, BenchResult } from './bench.ts';

const USAGE = `
usage: npm run bench [-- NAME…]

Benches whose name begins with NAME; all without one. A JSON line a result on stdout, a table on stderr.
A name that no bench has lists those there are.
`;
const { positionals: wanted } = readOptions(USAGE, {}, 'benches');
const machine = `${cpus()[0]?.model ?? 'unknown CPU'} × ${availableParallelism()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
process.stderr.write(`${machine}\n`);

const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .sort();
const benches: Bench[] = [];
for (const file of files) {
  const module = (await import(`./${file}`)) as { benches?: readonly Bench[] };
  if (module.benches === undefined) throw new TypeError(`test/bench/${file} does not export benches`);
  benches.push(...module.benches);
}
const chosen = benches.filter((bench) => wanted.length === 0 || wanted.some((name) => bench.name.startsWith(name)));
if (chosen.length === 0)
  wrongUsage(`no bench begins with ${wanted.join(' ')}; there are: ${benches.map((b) => b.name).join(', ')}`);

const results: BenchResult[] = [];
for (const bench of chosen) {
  process.stderr.write(`\n${bench.name}: ${bench.question}\n`);
  for (const result of await bench.run()) {
    results.push(result);
    process.stdout.write(`${JSON.stringify({ bench: bench.name, machine, ...result })}\n`);
    process.stderr.write(`  ${lineOf(result)}\n`);
  }
}

process.stderr.write(
  `\n${'what'.padEnd(44)}${'shape'.padEnd(16)}${'median'.padStart(12)}  ${'unit'.padEnd(14)}${'target'.padStart(12)}  ratio to reference\n`,
);
for (const result of results) process.stderr.write(`${rowOf(result)}\n`);
// Benches may leave clients and child processes behind that would keep this process up.
process.exit(0);

function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

function lineOf(result: BenchResult): string {
  if (result.notMeasured !== undefined) return `${result.name}, ${result.shape}: NOT MEASURED: ${result.notMeasured}`;
  const span =
    result.spanBytes === undefined
      ? ''
      : `, ${Math.round(result.spanBytes)} bytes and ${result.attributes ?? '?'} attributes a span`;
  return `${result.name}, ${result.shape}: ${number(result.value)} ${result.unit} (${number(result.low)} … ${number(result.high)}, ${result.samples} samples${span})${result.note === undefined ? '' : ` – ${result.note}`}`;
}

function rowOf(result: BenchResult): string {
  if (result.notMeasured !== undefined)
    return `${result.name.padEnd(44)}${result.shape.padEnd(16)}${'not measured'.padStart(12)}  ${result.notMeasured}`;
  const reached =
    result.target === undefined ||
    (/^(bytes|ms)\b/.test(result.unit) ? result.value <= result.target : result.value >= result.target);
  const target = result.target === undefined ? '–' : `${number(result.target)}${reached ? '' : ' MISSED'}`;
  const ratio = result.ratio === undefined ? '' : `${result.ratio.toFixed(2)} × ${result.reference}`;
  return `${result.name.padEnd(44)}${result.shape.padEnd(16)}${number(result.value).padStart(12)}  ${result.unit.padEnd(14)}${target.padStart(12)}  ${ratio}`;
}
