/** Telemetry and load that are not what was learned: lost spans, clocks that are off, twice the traffic, a deploy. */
import { STRUCTURAL_ATTACKS } from '../../../datasets/generated/attacks.ts';
import type { GeneratedTrace, TrafficOptions } from '../../../datasets/generated/traffic.ts';
import { type Detector, incidentsOf, judge, learn, rangeOf } from './detector.ts';
import { count, ratio, type Section, share, table } from './section.ts';
import { proportion, recallAt } from './statistics.ts';
import { JUDGE_MS, LEARN_MS, recordsOf, SEED, traffic, type Worlds } from './world.ts';

const NOMINAL = 1e-3;

interface Disturbance {
  readonly name: string;
  readonly options: Partial<TrafficOptions>;
  /** Whether it was so while learning too. */
  readonly learned: boolean;
}

const SKEW_MS = 20;

export async function disturbed(worlds: Worlds): Promise<Section> {
  const { sizes, options } = worlds;
  const halfMs = (sizes.smallClean / 40) * 500;
  const all: Disturbance[] = [{ name: 'none', options: {}, learned: false }];
  for (const spanLoss of options.quick ? [0.05] : [0.01, 0.05, 0.2]) {
    for (const learned of [true, false])
      all.push({ name: `${100 * spanLoss} % of spans lost`, options: { spanLoss }, learned });
  }
  for (const learned of [true, false]) {
    all.push({ name: `clocks up to ${SKEW_MS} ms off`, options: { clockSkewMs: SKEW_MS }, learned });
  }
  all.push({ name: 'twice the traffic from half time on', options: { doublesAtMs: halfMs }, learned: false });
  all.push({ name: 'a deploy at half time', options: { deployAtMs: halfMs }, learned: false });

  const plain = await learnWith({});
  const rows: string[][] = [];
  for (const { name, options: more, learned } of all) {
    options.say(`disturbed: ${name}${learned ? ', learned so' : ''}`);
    const detector = learned ? await learnWith(more) : plain;
    const clean = traffic({ seed: 540_000 + SEED, traces: sizes.smallClean, startMs: JUDGE_MS, ...more });
    const evil = { share: 1, shape: 'uniform', kinds: STRUCTURAL_ATTACKS, attackers: 50 } as const;
    // what is planted comes from the second half, when everything has happened
    const attacks = traffic({
      seed: 550_000 + SEED,
      traces: 3 * sizes.mutants,
      startMs: JUDGE_MS + halfMs,
      ...more,
      ...(more.deployAtMs !== undefined && { deployAtMs: 0 }),
      ...(more.doublesAtMs !== undefined && { doublesAtMs: 0 }),
      contamination: evil,
    }).filter(({ truth }) => truth.label === 'attack');
    rows.push([name, learned ? 'yes' : 'no', ...(await measure(detector, clean, attacks))]);
  }

  function learnWith(more: Partial<TrafficOptions>): Promise<Detector> {
    return learn(traffic({ seed: 560_000 + SEED, traces: sizes.smallLearned, startMs: LEARN_MS, ...more }));
  }

  return {
    title: 'Disturbed telemetry, load and a deploy day',
    body: [
      `${count(sizes.smallLearned)} traces learned, ${count(sizes.smallClean)} clean ones judged under the disturbance, ${count(3 * sizes.mutants)} structural attacks in it. ` +
        '_Learned so_: the disturbance was there while learning. A disturbance that was never learned is itself a deviation: its rate says how many verdicts it moves, ' +
        'its incidents what people hear of it. Recall is by rank among traffic disturbed alike.',
      table(
        [
          'disturbance',
          'learned so',
          'realised / nominal at 1e-3',
          'hard findings a trace',
          'incidents: security, other',
          'recall at FPR 1e-3',
          'flagged at p ≤ 1e-3',
        ],
        rows,
      ),
    ],
  };
}

async function measure(
  detector: Detector,
  clean: readonly GeneratedTrace[],
  attacks: readonly GeneratedTrace[],
): Promise<string[]> {
  const verdicts = judge(detector, recordsOf(clean));
  const found = judge(detector, recordsOf(attacks));
  const { incidents } = await incidentsOf(detector, clean, rangeOf(clean));
  const security = incidents.filter((incident) => incident.class === 'security').length;
  return [
    ratio(proportion(verdicts.segments.filter((p) => p <= NOMINAL).length, verdicts.segments.length), NOMINAL),
    share(proportion(verdicts.hard.filter((hit) => hit > 0).length, verdicts.hard.length)),
    `${security}, ${incidents.length - security}`,
    share(recallAt(found.score, verdicts.score, 1e-3)),
    share(proportion(found.p.filter((p) => p <= NOMINAL).length, found.p.length)),
  ];
}
