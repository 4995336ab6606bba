/**
 * Development sets, files of traces with labels: NAME.train.jsonl.gz, NAME.test.jsonl.gz, NAME.test.labels.tsv (trace id, label
 * 0 / 1 / −1 = do not count, group) and, where faults were injected, NAME.faults.tsv (number, type, service, time, traces).
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyOfRecords, STRUCTURAL_KINDS } from '../../../detector/check/mutations/index.ts';
import { otlpLineFiles } from '../../../runtime/files/trace-files.ts';
import { createFileCounts } from '../../../runtime/files/trace-records.ts';
import { type Detector, incidentsOfFiles, judge, learn } from './detector.ts';
import { type Fault, faultsFound } from './faults.ts';
import { createNursery } from './planting.ts';
import { count, percent, type Section, share, short, type Target, table } from './section.ts';
import { averagePrecision, type Proportion, proportion, recallAt } from './statistics.ts';
import { SEED, type Worlds } from './world.ts';

interface Label {
  readonly label: number;
  readonly group: string;
}

const lines = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');

function readLabels(path: string): Map<string, Label> {
  return new Map(
    lines(path).map((line) => {
      const [traceId = '', label = '', group = ''] = line.split('\t');
      return [traceId, { label: Number(label), group }];
    }),
  );
}

const readFaults = (path: string): Fault[] =>
  lines(path).map((line) => {
    const [, , service = '', at = '', traces = '0'] = line.split('\t');
    return { service, atMs: Date.parse(at), traces: Number(traces) };
  });

const EXTENSIONS = ['.jsonl.gz', '.jsonl.zst', '.jsonl'];

const fileOf = (directory: string, name: string): string | undefined =>
  EXTENSIONS.map((extension) => join(directory, name + extension)).find(existsSync);

const NOT_MEASURED: readonly Target[] = [
  { what: '`ob-dev`: faults found of the 21 with traces; false incidents', target: '≥ 17; ≤ 2' },
  { what: '`ob-dev`: found faults whose incident names the service', target: '≥ 80 %' },
  { what: '`ob-dev`: structural mutations, recall at FPR 1e-3: mean over kinds; worst kind', target: '≥ .98; ≥ .95' },
  { what: '`ob-dev`: realised / nominal at 1e-2', target: '½ … 2' },
  { what: '`httpparams`: recall at FPR 1e-3; average precision', target: '≥ .995; ≥ .9995' },
  { what: '`httpparams`: realised / nominal at 1e-2', target: '½ … 2' },
];

export async function development(worlds: Worlds): Promise<Section> {
  const { datasets, say } = worlds.options;
  if (datasets === undefined) {
    return {
      title: 'Development sets',
      body: ['Not measured: `--datasets DIR` (or `SPANWARDEN_DATASETS`) names a folder with them.'],
      targets: NOT_MEASURED,
    };
  }
  const body: string[] = [];
  const targets: Target[] = [];
  for (const name of ['ob-dev', 'httpparams']) {
    const train = fileOf(datasets, `${name}.train`);
    const test = fileOf(datasets, `${name}.test`);
    const labels = join(datasets, `${name}.test.labels.tsv`);
    if (train === undefined || test === undefined || !existsSync(labels)) {
      body.push(`### ${name}\n\nNot measured: not in the folder.`);
      targets.push(...NOT_MEASURED.filter(({ what }) => what.includes(name)));
      continue;
    }
    say(`development set ${name}`);
    const detector = await learn([train]);
    const faultsFile = join(datasets, `${name}.faults.tsv`);
    const faults = existsSync(faultsFile) ? readFaults(faultsFile) : undefined;
    await judgeSet(worlds, name, detector, { train, test, labels: readLabels(labels), faults }, body, targets);
  }
  return { title: 'Development sets', body, targets };
}

interface DevelopmentSet {
  readonly train: string;
  readonly test: string;
  readonly labels: ReadonlyMap<string, Label>;
  readonly faults: readonly Fault[] | undefined;
}

async function judgeSet(
  worlds: Worlds,
  name: string,
  detector: Detector,
  set: DevelopmentSet,
  body: string[],
  targets: Target[],
): Promise<void> {
  const { incidents, scores } = await incidentsOfFiles(detector, [set.test]);
  const positives: number[] = [];
  const negatives: number[] = [];
  const cleanP: number[] = [];
  const groups = new Map<string, [number, number]>();
  for (const [traceId, { label, group }] of set.labels) {
    if (label < 0) continue;
    // a trace without a line counts as judged normal, last of all
    const one = scores.get(traceId) ?? { score: Number.NEGATIVE_INFINITY, p: 1, anomalous: false };
    if (label === 0) {
      negatives.push(one.score);
      cleanP.push(one.p);
    } else {
      positives.push(one.score);
      const known = groups.get(group) ?? [0, 0];
      groups.set(group, [known[0] + 1, known[1] + Number(one.anomalous)]);
    }
  }
  const clean = Float64Array.from(negatives);
  const realised = (nominal: number): Proportion =>
    proportion(cleanP.filter((p) => p <= nominal).length, cleanP.length);
  const ap = averagePrecision(positives, clean);
  const recall = recallAt(positives, clean, 1e-3);
  body.push(
    `### ${name}`,
    `${count(positives.length)} positives, ${count(clean.length)} clean traces.`,
    table(
      ['average precision', 'recall at FPR 1e-2', 'at 1e-3', 'realised at 1e-2', 'at 1e-3', 'at 1e-4'],
      [
        [
          ap.toFixed(5),
          share(recallAt(positives, clean, 1e-2)),
          share(recall),
          ...[1e-2, 1e-3, 1e-4].map((nominal) => share(realised(nominal))),
        ],
      ],
    ),
  );
  const factor = realised(1e-2).value / 1e-2;
  const meets = [1e-2, 1e-3].every(
    (nominal) => realised(nominal).high >= nominal / 2 && realised(nominal).low <= 2 * nominal,
  );
  targets.push(
    {
      what: `\`${name}\`: realised / nominal at 1e-2`,
      target: '½ … 2',
      value: factor.toFixed(2),
      reached: factor >= 0.5 && factor <= 2,
    },
    {
      what: `\`${name}\`: 95 % intervals of the rates at 1e-2 and 1e-3 meet [½, 2]`,
      target: 'all',
      value: meets ? 'all' : 'not all',
      reached: meets,
    },
  );
  if (set.faults === undefined) {
    body.push(
      table(
        ['family', 'traces', 'flagged at p ≤ 1e-3'],
        [...groups].sort().map(([group, [n, hits]]) => [group, count(n), percent(hits / n)]),
      ),
    );
    targets.push({
      what: `\`${name}\`: recall at FPR 1e-3; average precision`,
      target: '≥ .995; ≥ .9995',
      value: `${short(recall)}; ${ap.toFixed(5)}`,
      reached: recall.value >= 0.995 && ap >= 0.9995,
    });
    return;
  }
  const found = faultsFound(set.faults, incidents);
  targets.push(
    {
      what: `\`${name}\`: faults found of the ${found.withTraces} with traces; false incidents`,
      target: '≥ 17; ≤ 2',
      value: `${found.found}; ${found.false}`,
      reached: found.found >= 17 && found.false <= 2,
    },
    {
      what: `\`${name}\`: found faults whose incident names the service`,
      target: '≥ 80 %',
      value: `${found.named} of ${found.found}`,
      reached: found.named >= 0.8 * found.found,
    },
  );
  await mutateSet(worlds, name, detector, set, body, targets);
}

/** Structural mutations of the set's clean test traces; those themselves are the negatives. */
async function mutateSet(
  worlds: Worlds,
  name: string,
  detector: Detector,
  set: DevelopmentSet,
  body: string[],
  targets: Target[],
): Promise<void> {
  const known = await tracesOf(set.train, () => true);
  const clean = await tracesOf(set.test, (traceId) => set.labels.get(traceId)?.label === 0);
  const negatives = judge(detector, clean).score;
  const nursery = createNursery(detector, clean, known, SEED);
  const recalls = STRUCTURAL_KINDS.map((kind) => {
    const { records, equal } = nursery.plant(kind, worlds.sizes.mutants);
    const { score, p } = judge(detector, records);
    return {
      kind,
      records,
      dropped: equal / Math.max(1, equal + records.length),
      at: [1e-2, 1e-3].map((rate) => recallAt(score, negatives, rate)),
      flagged: proportion(p.filter((one) => one <= 1e-3).length, p.length),
    };
  }).filter(({ records }) => records.length > 0);
  body.push(
    `Structural mutations of the ${count(clean.length)} clean test traces (at 1e-3, two negatives may lie above):`,
    table(
      ['kind', 'mutants', 'dropped', 'recall at FPR 1e-2', 'at 1e-3', 'p ≤ 1e-3'],
      recalls.map(({ kind, records, dropped, at, flagged }) => [
        kind,
        count(records.length),
        percent(dropped),
        ...at.map(share),
        short(flagged),
      ]),
    ),
  );
  const values = recalls.map(({ at }) => at[1]!.value);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const worst = Math.min(...values);
  targets.push({
    what: `\`${name}\`: structural mutations, recall at FPR 1e-3: mean over kinds; worst kind`,
    target: '≥ .98; ≥ .95',
    value: `${mean.toFixed(3)}; ${worst.toFixed(3)}`,
    reached: mean >= 0.98 && worst >= 0.95,
  });
}

/** Whole traces of a file: the records of one trace id as one. */
async function tracesOf(path: string, wanted: (traceId: string) => boolean): Promise<Uint8Array[]> {
  const byTrace = new Map<string, Uint8Array[]>();
  for await (const records of otlpLineFiles.records([path], createFileCounts())) {
    for (const { value } of records) {
      const traceId = copyOfRecords([value])?.traceId;
      if (traceId === undefined || !wanted(traceId)) continue;
      const known = byTrace.get(traceId);
      if (known === undefined) byTrace.set(traceId, [value]);
      else known.push(value);
    }
  }
  // TracesData messages one after another are one message that holds them all
  return [...byTrace.values()].map((own) => (own.length === 1 ? own[0]! : Buffer.concat(own)));
}
