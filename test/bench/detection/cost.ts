/** What a baseline takes of memory, and judging of time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JudgementStage } from '../../../baseline/model.ts';
import { generateTraffic } from '../../../datasets/generated/traffic.ts';
import { wideSystem } from '../../../datasets/generated/wide.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import type { Segment } from '../../../traces/segment.ts';
import { cpuSeconds } from '../bench.ts';
import { assemble, type Detector, judge, learn, reloaded, writeBaseline } from './detector.ts';
import { createNursery } from './planting.ts';
import { count, type Section, type Target, table } from './section.ts';
import { LEARN_MS, recordsOf, SEED, type Worlds } from './world.ts';

/** What the child says once the baseline is loaded. */
interface Loaded {
  readonly rssBytes: number;
  readonly heapBytes: number;
}

const SAMPLES = 9;

export async function cost(worlds: Worlds): Promise<Section> {
  const { quick, say } = worlds.options;
  const targets: Target[] = [];
  const body: string[] = [];
  const memory = await memoryOf(quick, say);
  body.push(
    'Memory: a baseline file loaded by a process of its own, resident bytes after a collection less those before. Learned from a system ' +
      'made wide for this.',
    table(
      ['signatures', 'timing keys', 'parameters', 'resident', 'of it JS heap and buffers'],
      [
        [
          count(memory.signatures),
          count(memory.timingKeys),
          count(memory.parameters),
          mb(memory.rssBytes),
          mb(memory.heapBytes),
        ],
      ],
    ),
  );
  const wide = memory.signatures >= 1_000 && memory.timingKeys >= 20_000 && memory.parameters >= 5_000;
  targets.push({
    what: 'baseline memory: 1,000 signatures, 20,000 timing keys, 5,000 parameters',
    target: '≤ 150 MB resident',
    value: `${wide ? '' : 'not measured at that width; '}${mb(memory.rssBytes)} (${count(memory.signatures)}; ${count(memory.timingKeys)}; ${count(memory.parameters)})`,
    ...((wide || !quick) && { reached: wide && memory.rssBytes <= 150e6 }),
  });

  const { detector, clean, verdicts } = await worlds.main();
  const matched = segmentsOf(detector, recordsOf(clean.slice(0, 3_000)), (similarity) => similarity === 1);
  const perSpan = await median(async () => {
    const spans = matched.reduce((sum, { spanCount }) => sum + spanCount, 0);
    const seconds = await cpuSeconds(() => {
      for (const segment of matched) detector.baseline.judge(segment, JudgementStage.absence);
    });
    return (1e6 * seconds) / spans;
  });
  const nursery = createNursery(detector, recordsOf(clean.slice(0, 2_000)), [], SEED + 99);
  const unmatched = (['missing', 'moved', 'foreign'] as const).flatMap((kind) => [
    ...nursery.plant(kind, quick ? 100 : 400).records,
  ]);
  const odd = segmentsOf(detector, unmatched, () => true);
  // each structure once: what was judged before is remembered by its key
  const fresh = await reloaded(detector);
  const own = segmentsOf(fresh, unmatched, () => true, false);
  const times: number[] = [];
  for (const segment of own) {
    const before = process.hrtime.bigint();
    fresh.baseline.judge(segment, JudgementStage.absence);
    times.push(Number(process.hrtime.bigint() - before) / 1e6);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  body.push(
    'Time: judging alone, of segments that are read already; a matched one by CPU time (median of rounds), an unmatched one by the clock, ' +
      'each structure seen for the first time.',
    table(
      ['what', 'segments', 'time'],
      [
        ['matched, a span', count(matched.length), `${perSpan.toFixed(2)} µs`],
        [
          'unmatched, a trace: mean; 99 %; worst',
          count(odd.length),
          `${mean.toFixed(2)} ms; ${at(0.99).toFixed(2)} ms; ${at(1).toFixed(2)} ms`,
        ],
      ],
    ),
    `Clean traces without a verdict: ${verdicts.unjudged}.`,
  );
  targets.push(
    {
      what: 'matched segment, scoring only',
      target: '≤ 2 µs a span',
      value: `${perSpan.toFixed(2)} µs`,
      reached: perSpan <= 2,
    },
    { what: 'unmatched segment, mean', target: '≤ 1 ms a trace', value: `${mean.toFixed(2)} ms`, reached: mean <= 1 },
  );
  return { title: 'Cost', body, targets };
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

async function median(measure: () => Promise<number>): Promise<number> {
  await measure();
  const values: number[] = [];
  for (let i = 0; i < SAMPLES; i++) values.push(await measure());
  return values.sort((a, b) => a - b)[SAMPLES >> 1]!;
}

/** Segments read into columns of their own, those of the wanted similarity. */
function segmentsOf(
  detector: Detector,
  records: readonly Uint8Array[],
  wanted: (similarity: number) => boolean,
  judged = true,
): Segment[] {
  const { kit, baseline } = detector;
  const segments: Segment[] = [];
  const keep = (spans: Parameters<typeof kit.reader.read>[0]): void => {
    const own = createSegment(kit.symbols);
    if (kit.reader.read(spans, own, baseline.templates)) segments.push(own);
  };
  if (judged) {
    judge(detector, records, (_i, { match }, _segment, spans) => {
      if (wanted(match.similarity.structure)) keep(spans);
    });
  } else assemble(records, keep);
  return segments;
}

async function memoryOf(
  quick: boolean,
  say: (text: string) => void,
): Promise<Loaded & { signatures: number; timingKeys: number; parameters: number }> {
  const entries = quick ? 20 : 150;
  const system = wideSystem({ seed: SEED, services: 40, entries, calls: 52, parameters: 6 });
  say(`memory: learning a system of ${entries} operations`);
  const traces = [...generateTraffic({ seed: SEED, traces: 65 * entries, system, perSecond: 40, startMs: LEARN_MS })];
  const { baseline } = await learn(traces);
  const kinds = new Map<string, number>();
  for (const { group, kind } of baseline.entries())
    kinds.set(`${group} ${kind}`, (kinds.get(`${group} ${kind}`) ?? 0) + 1);
  say([...kinds].map(([kind, n]) => `${kind} ${n}`).join(', '));
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const file = join(directory, 'baseline.ndjson');
    await writeBaseline(baseline, file);
    const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, 'memory-child.ts'), file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`the process that loads the baseline ended with ${code}`);
    const of = (kind: string): number => kinds.get(kind) ?? 0;
    return {
      ...(JSON.parse(text) as Loaded),
      signatures: of('structure signature') + of('match signature'),
      timingKeys: of('timing histogram'),
      parameters: of('parameters parameter'),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
