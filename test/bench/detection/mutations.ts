/** Recall of known anomalies by kind at fixed rates of false alarms; beside trivial detectors; and with each group left out. */

import { GROUP_WEIGHTS } from '../../../baseline/fusion/calibration.ts';
import { PARAMETER_ATTACKS, STRUCTURAL_ATTACKS, TIMING_ATTACKS } from '../../../datasets/generated/attacks.ts';
import { MUTATION_KINDS, STRUCTURAL_KINDS } from '../../../detector/check/mutations/index.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { type Judged, judge } from './detector.ts';
import { createNursery } from './planting.ts';
import { count, percent, type Section, share, short, type Target, table } from './section.ts';
import { learnSimple, SIMPLE, type SimpleScores } from './simple.ts';
import { above, averagePrecision, type Proportion, proportion, recallAt, thresholdAt } from './statistics.ts';
import { JUDGE_MS, recordsOf, SEED, traffic, type World, type Worlds } from './world.ts';

interface Judgedkind {
  readonly kind: string;
  readonly family: 'mutation' | 'attack';
  readonly verdicts: Judged;
  readonly simple: SimpleScores;
  readonly dropped: string;
  /** Which kinds of findings the most severe one of a found mutant was. */
  readonly foundBy: ReadonlyMap<string, number>;
  /** By mutant, the kinds of its findings about structure. */
  readonly structural: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Clean traces that are mutated: enough that each is used a few times only. */
const MUTATED = 10_000;

export async function mutations(worlds: Worlds): Promise<Section[]> {
  const world = await worlds.main();
  const { detector, learned, clean, verdicts } = world;
  worlds.options.say('planting mutations');
  const simple = learnSimple(detector, recordsOf(learned));
  const simpleClean = simple.score(recordsOf(clean));
  const kinds = judgedKinds(worlds, world, (records) => simple.score(records));
  const negatives = verdicts.score;
  const at = (one: Judgedkind, rate: number): Proportion => recallAt(one.verdicts.score, negatives, rate);

  const rows = kinds.map((one) => [
    one.kind,
    count(one.verdicts.score.length),
    one.dropped,
    share(at(one, 1e-2)),
    share(at(one, 1e-3)),
    share(at(one, 1e-4)),
    short(proportion(one.verdicts.p.filter((p) => p <= 1e-3).length, one.verdicts.p.length)),
    short(proportion(one.verdicts.hard.filter((hit) => hit > 0).length, one.verdicts.hard.length)),
    [...one.foundBy]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 2)
      .map(([name, n]) => `${name} ${percent(n / one.verdicts.p.length, 0)}`)
      .join(', '),
  ]);
  const structural = kinds.filter(({ kind }) => (STRUCTURAL_KINDS as readonly string[]).includes(kind));
  const recalls = structural.map((one) => at(one, 1e-3).value);
  const mean = recalls.reduce((sum, value) => sum + value, 0) / Math.max(1, recalls.length);
  const authorisation = kinds.find(({ kind }) => kind === 'request: missing-authorisation');
  const targets: Target[] = [];
  if (authorisation !== undefined) {
    const recall = at(authorisation, 1e-4);
    targets.push({
      what: 'missing authorisation on generated traffic: recall at FPR 1e-4',
      target: '≥ .99',
      value: share(recall),
      reached: recall.value >= 0.99,
    });
  }
  const everything = kinds.flatMap((one) => [...one.verdicts.score]);
  const sections: Section[] = [
    {
      title: 'Known anomalies on generated traffic',
      targets,
      body: [
        `Planted into ${count(MUTATED)} of the ${count(clean.length)} clean traces, uniformly over their non-root spans; scored by the complete detector, ` +
          'negatives are all clean traces. _Dropped_: mutants that equal a learned or clean trace, as share of those that could be made. ' +
          '_p ≤ 1e-3_ is the verdict of the product itself; _hard_ opens an incident at once; last, the kinds of the first finding. ' +
          'Kinds that begin with _request_ are whole requests abused (`datasets/generated/attacks.ts`): SQL reaches the statement, a link is fetched.',
        table(
          [
            'kind',
            'mutants',
            'dropped',
            'recall at FPR 1e-2',
            'at 1e-3',
            'at 1e-4',
            'p ≤ 1e-3',
            'hard',
            'first finding',
          ],
          rows,
        ),
        `Structural mutations (${STRUCTURAL_KINDS.join(', ')}), mean over kinds at FPR 1e-3: ${mean.toFixed(3)}; worst ${Math.min(...recalls).toFixed(3)}. ` +
          `All kinds together: average precision ${averagePrecision(everything, negatives).toFixed(4)}.`,
      ],
    },
    {
      title: 'Beside trivial detectors',
      body: [
        'Recall at a false-positive rate of 1e-3 over all mutants of a family; ties count against a detector, so one that knows only yes and no ' +
          'has recall only if it says no to nearly all clean traffic. Below it: what such a detector flags of clean traffic by its own rule.',
        simpleTable(kinds, negatives, simpleClean, simple.flagsAbove),
      ],
    },
    ablation(kinds, verdicts),
    voices(structural, thresholdAt(negatives, 1e-3)),
  ];
  return sections;
}

function judgedKinds(
  worlds: Worlds,
  world: World,
  simple: (records: readonly Uint8Array[]) => SimpleScores,
): Judgedkind[] {
  const { detector, learned, clean } = world;
  const { mutants } = worlds.sizes;
  const known = [...recordsOf(learned), ...recordsOf(clean.slice(MUTATED))];
  const nursery = createNursery(detector, recordsOf(clean.slice(0, MUTATED)), known, SEED);
  const judged = (
    kind: string,
    family: Judgedkind['family'],
    records: readonly Uint8Array[],
    dropped: string,
  ): Judgedkind => {
    const foundBy = new Map<string, number>();
    const structural = new Map<number, Set<string>>();
    const seen = new Map<number, { readonly score: number; readonly name: string }>();
    const verdicts = judge(detector, records, (i, { findings, score }) => {
      const first = findings[0];
      for (const { group, kind: found } of findings) {
        if (group !== 'structure') continue;
        const known = structural.get(i);
        if (known === undefined) structural.set(i, new Set([found]));
        else known.add(found);
      }
      if (first === undefined || (seen.get(i)?.score ?? -1) >= score) return;
      seen.set(i, { score, name: first.hard ? `**${first.kind}**` : first.kind });
    });
    for (const { name } of seen.values()) foundBy.set(name, (foundBy.get(name) ?? 0) + 1);
    return { kind, family, verdicts, simple: simple(records), dropped, foundBy, structural };
  };
  const planted = MUTATION_KINDS.map((kind) => {
    const { records, equal } = nursery.plant(kind, mutants);
    const made = records.length + equal;
    return judged(kind, 'mutation', records, made === 0 ? '–' : percent(equal / made));
  }).filter(({ verdicts }) => verdicts.score.length > 0);
  const generated = [...STRUCTURAL_ATTACKS, ...TIMING_ATTACKS, ...PARAMETER_ATTACKS].map((kind, i) => {
    const many = kind === 'missing-authorisation' ? 4 * mutants : mutants;
    const contamination = { share: 1, shape: 'uniform', kinds: [kind], attackers: 50 } as const;
    const traces = traffic({ seed: 700_000 + 1_000 * SEED + i, traces: many, startMs: JUDGE_MS, contamination });
    const own = traces.filter(({ truth }) => truth.kind === kind);
    return judged(`request: ${kind}`, 'attack', recordsOf(own), '–');
  });
  return [...planted, ...generated];
}

function simpleTable(
  kinds: readonly Judgedkind[],
  negatives: Float64Array,
  clean: SimpleScores,
  flagsAbove: Readonly<Record<string, number>>,
): string {
  const families: readonly (readonly [string, (kind: Judgedkind) => boolean])[] = [
    [
      'structural',
      ({ kind, family }) => family === 'mutation' && (STRUCTURAL_KINDS as readonly string[]).includes(kind),
    ],
    ['missing-authorisation', ({ kind }) => kind === 'request: missing-authorisation'],
    ['slow and fast', ({ kind }) => /^(request: )?(slow|fast)/.test(kind)],
    [
      'parameter attacks',
      ({ kind }) => kind.startsWith('attack: ') || PARAMETER_ATTACKS.some((one) => kind === `request: ${one}`),
    ],
  ];
  const all = (wanted: (kind: Judgedkind) => boolean, values: (kind: Judgedkind) => Float64Array): number[] =>
    kinds.filter(wanted).flatMap((one) => [...values(one)]);
  const rows = [
    [
      '**Spanwarden**',
      ...families.map(([, wanted]) =>
        short(
          recallAt(
            all(wanted, ({ verdicts }) => verdicts.score),
            negatives,
            1e-3,
          ),
        ),
      ),
      '–',
    ],
    ...SIMPLE.map((name) => [
      name,
      ...families.map(([, wanted]) =>
        short(
          recallAt(
            all(wanted, ({ simple }) => simple[name]),
            clean[name],
            1e-3,
          ),
        ),
      ),
      name === 'span count' ? '–' : percent(above(clean[name], flagsAbove[name]!).value, 2),
    ]),
  ];
  return table(['recall at FPR 1e-3', ...families.map(([name]) => name), 'flags of clean traffic'], rows);
}

/** Which models of structure speak of what is found, and which alone: without such a one at most so much is lost. */
function voices(kinds: readonly Judgedkind[], threshold: number): Section {
  const models = [
    ...new Set(kinds.flatMap(({ structural }) => [...structural.values()].flatMap((own) => [...own]))),
  ].sort();
  const rows = kinds.map(({ kind, verdicts, structural }) => {
    const found = [...verdicts.score.keys()].filter((i) => verdicts.score[i]! > threshold);
    const cells = models.map((model) => {
      const speaks = found.filter((i) => structural.get(i)?.has(model) === true);
      const alone = speaks.filter((i) => structural.get(i)!.size === 1);
      const of = (some: readonly number[]): string => percent(some.length / Math.max(1, found.length), 0);
      return speaks.length === 0 ? '–' : `${of(speaks)}, ${of(alone)}`;
    });
    return [kind, count(found.length), ...cells];
  });
  return {
    title: 'Models of structure',
    body: [
      'Of the mutants found at a false-positive rate of 1e-3: in how many a model of structure has a finding, and in how many no other has one. ' +
        'Without a model, at most the second share is lost.',
      table(['kind', 'found', ...models], rows),
    ],
  };
}

/** Fused from the groups' own p, all of them or all but one, so that only the groups differ. */
function ablation(kinds: readonly Judgedkind[], clean: Judged): Section {
  const fused = ({ groups }: Judged, out: number): Float64Array =>
    groups[0]!.map((_, i) => {
      let sum = 0;
      for (const [g, group] of GROUPS.entries()) sum += GROUP_WEIGHTS[group] / (g === out ? 1 : groups[g]![i]!);
      return Math.log10(sum);
    });
  const alone = ({ groups }: Judged, only: number): Float64Array => groups[only]!.map((p) => -Math.log10(p));
  const variants: readonly (readonly [string, (judged: Judged) => Float64Array])[] = [
    ['all', (judged) => fused(judged, -1)],
    ...GROUPS.map((group, g) => [`without ${group}`, (judged: Judged) => fused(judged, g)] as const),
    ...GROUPS.map((group, g) => [`${group} alone`, (judged: Judged) => alone(judged, g)] as const),
  ];
  const thresholds = variants.map(([, score]) => thresholdAt(score(clean), 1e-3));
  return {
    title: 'Ablation of the groups',
    body: [
      'Recall at a false-positive rate of 1e-3 from the groups’ re-ranked p alone (severity, which breaks ties in `score`, is left out in every column).',
      table(
        ['kind', ...variants.map(([name]) => name)],
        kinds.map((one) => [
          one.kind,
          ...variants.map(([, score], v) => short(above(score(one.verdicts), thresholds[v]!))),
        ]),
      ),
    ],
  };
}
