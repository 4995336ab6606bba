/** What a baseline takes of memory, and judging of time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JudgementStage } from '../../../baseline/model.ts';
import { isCallSource } from '../../../baseline/parameters/sources.ts';
import { createLineWriter } from '../../../runtime/files/write-lines.ts';
import { writeVersion } from '../../../schemas/baselines/version.ts';
import { createSegment } from '../../../traces/reading/columns.ts';
import { ParameterSource, type Segment } from '../../../traces/segment.ts';
import { cpuSeconds } from '../bench.ts';
import { assemble, type Detector, judge, reloaded } from './detector.ts';
import { createNursery } from './planting.ts';
import { count, type Section, type Target, table } from './section.ts';
import { wideEntries } from './wide-baseline.ts';
import { recordsOf, SEED, type Worlds } from './world.ts';

/** What the child says once it has loaded what it was given. */
interface Held {
  /** Resident after an ordinary collection, and after one that joins half empty pages. */
  readonly looseBytes: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

interface Measured {
  readonly loaded: Held;
  readonly bare: Held;
  readonly signatures: number;
  readonly timingKeys: number;
  readonly parameters: number;
}

const SAMPLES = 9;

export async function cost(worlds: Worlds): Promise<Section> {
  const { quick, say } = worlds.options;
  const targets: Target[] = [];
  const body: string[] = [];
  const { loaded, bare, ...memory } = await memoryOf(say);
  const rssBytes = loaded.rssBytes - bare.rssBytes;
  body.push(
    'Memory: a baseline file loaded by a process of its own, resident bytes after a full collection, less those of a process that has ' +
      'loaded the same code and no baseline. Timing keys are all that a version holds, back-off included (half of these are ways of ' +
      'calling, the other half the same calls whoever makes them). Learned from systems made wide for this. Right after loading V8 ' +
      'still holds pages that are half empty; they are used for what comes next, or given back when memory is short.',
    table(
      [
        'signatures',
        'timing keys',
        'parameters',
        'baseline',
        'of it JS heap and buffers',
        'with it',
        'without',
        'right after',
      ],
      [
        [
          count(memory.signatures),
          count(memory.timingKeys),
          count(memory.parameters),
          mb(rssBytes),
          mb(loaded.heapBytes - bare.heapBytes),
          mb(loaded.rssBytes),
          mb(bare.rssBytes),
          mb(loaded.looseBytes),
        ],
      ],
    ),
  );
  const wide = memory.signatures >= 1_000 && memory.timingKeys >= 20_000 && memory.parameters >= 5_000;
  targets.push({
    what: 'baseline memory: 1,000 signatures, 20,000 timing keys, 5,000 parameters',
    target: '≤ 150 MB resident',
    value: `${wide ? '' : 'not measured at that width; '}${mb(rssBytes)} (${count(memory.signatures)}; ${count(memory.timingKeys)}; ${count(memory.parameters)}); ${mb(loaded.looseBytes - bare.looseBytes)} right after loading`,
    reached: wide && rssBytes <= 150e6,
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
  const busy = await cpuSeconds(() => {
    for (const segment of own) {
      const before = process.hrtime.bigint();
      fresh.baseline.judge(segment, JudgementStage.absence);
      times.push(Number(process.hrtime.bigint() - before) / 1e6);
    }
  });
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  const mean = (1_000 * busy) / own.length;
  body.push(
    'Time: judging alone, of segments that are read already; a matched one by CPU time (median of rounds), an unmatched one by CPU time ' +
      '(mean) and by the clock (the rest: other work of the machine counts there), each structure seen for the first time.',
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

async function memoryOf(say: (text: string) => void): Promise<Measured> {
  say('memory: learning wide systems');
  const seed = SEED;
  const services = 40;
  const entries = await wideEntries(
    [
      {
        groups: ['structure', 'timing', 'status'],
        width: { seed, services, entries: 250, calls: 31, parameters: 1, optional: 2 },
      },
      { groups: ['parameters'], width: { seed, services, entries: 100, calls: 12, parameters: 50, optional: 0 } },
    ],
    OBSERVATIONS,
  );
  let signatures = 0;
  let timingKeys = 0;
  let parameters = 0;
  for (const { group, kind, value } of entries) {
    if (kind === 'signature') signatures++;
    else if (group === 'timing' && kind === 'histogram') timingKeys++;
    else if (group === 'parameters' && kind === 'parameter' && isOfRequest(value)) parameters++;
  }
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const file = join(directory, 'baseline.ndjson');
    const writer = createLineWriter(file);
    for (const line of writeVersion(entries)) await writer.write(line);
    await writer.close();
    return { loaded: await heldBy(file), bare: await heldBy(), signatures, timingKeys, parameters };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Requests of each operation: as many as a key keeps largest values, and more. */
const OBSERVATIONS = 65;

/** Of query, path, body or header; not a statement, an egress target or a response's size. */
const isOfRequest = (value: string): boolean => {
  const { source } = JSON.parse(value) as { readonly source: number };
  return !isCallSource(source) && source !== ParameterSource.size;
};

async function heldBy(...files: string[]): Promise<Held> {
  const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, 'memory-child.ts'), ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`the process that loads the baseline ended with ${code}`);
  return JSON.parse(text) as Held;
}
