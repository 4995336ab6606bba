/** Realised against nominal rate on clean traffic, over several learning windows (DETECTION §5, §11). */
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { type Judged, judge, learn } from './detector.ts';
import { count, percent, ratio, type Section, type Target, table } from './section.ts';
import { type Proportion, proportion, tiedAtTop } from './statistics.ts';
import { judgeWindow, learnWindow, recordsOf, type Worlds } from './world.ts';

const NOMINAL = [1e-2, 1e-3, 1e-4] as const;

const realised = (values: Float64Array, nominal: number): Proportion =>
  proportion(values.filter((p) => p <= nominal).length, values.length);

const pooled = (all: readonly Proportion[]): Proportion =>
  proportion(
    all.reduce((sum, { hits }) => sum + hits, 0),
    all.reduce((sum, { of }) => sum + of, 0),
  );

export async function calibration(worlds: Worlds): Promise<Section> {
  const { sizes, options } = worlds;
  const judged: Judged[] = [(await worlds.main()).verdicts];
  for (let window = 1; window < sizes.windows; window++) {
    options.say(`calibration: learning window ${window + 1} of ${sizes.windows}`);
    const detector = await learn(learnWindow(window, sizes.learned));
    judged.push(judge(detector, recordsOf(judgeWindow(window, sizes.clean))));
  }
  const body: string[] = [
    `Each window: ${count(sizes.learned)} traces learned, ${count(sizes.clean)} others judged, clean but for 0.5 % benign early aborts, ` +
      'failures with up to three retries, refusals and stalls. Figures are realised / nominal rate of verdicts (a segment each), with the ' +
      '95 % Clopper–Pearson interval of the traces judged; that intervals of single windows miss 1 more often than they should is the ' +
      'spread of calibration itself from one learning window to the next, and bursts of stalls.',
    table(
      ['window', ...NOMINAL.map((nominal) => `at ${nominal}`), 'hard findings', 'not judged', 'tied at the top'],
      judged.map((one, i) => [
        String(i + 1),
        ...NOMINAL.map((nominal) => ratio(realised(one.segments, nominal), nominal)),
        String(one.hard.reduce((sum, hit) => sum + hit, 0)),
        String(one.unjudged),
        percent(tiedAtTop(one.score), 3),
      ]),
    ),
  ];
  const all = NOMINAL.map((nominal) => pooled(judged.map((one) => realised(one.segments, nominal))));
  const traces = NOMINAL.map((nominal) => pooled(judged.map((one) => realised(one.p, nominal))));
  const groups = GROUPS.map((group, g) => [
    `group ${group} by itself`,
    ...NOMINAL.map((nominal) => ratio(pooled(judged.map((one) => realised(one.segmentGroups[g]!, nominal))), nominal)),
  ]);
  body.push(
    'All windows together. A trace with several segments (work behind a queue) carries its most unlikely verdict, as in the lines of ' +
      '`score`, so its rate lies above that of verdicts. A group by itself shows where a deviation comes from.',
    table(
      ['realised / nominal', ...NOMINAL.map((nominal) => `at ${nominal}`)],
      [
        ['verdicts', ...all.map((one, i) => ratio(one, NOMINAL[i]!))],
        ['traces', ...traces.map((one, i) => ratio(one, NOMINAL[i]!))],
        ...groups,
      ],
    ),
  );
  const targets: Target[] = [1, 2].map((i) => {
    const one = all[i]!;
    const factor = one.value / NOMINAL[i]!;
    return {
      what: `generated traffic, ${count(one.of)} independent verdicts: realised / nominal at ${NOMINAL[i]}`,
      target: '½ … 2',
      value: ratio(one, NOMINAL[i]!),
      reached: factor >= 0.5 && factor <= 2,
    };
  });
  targets.push({
    what: 'scores tied at the top, clean traffic',
    target: '≤ 1 %',
    value: percent(Math.max(...judged.map((one) => tiedAtTop(one.score))), 3),
    reached: judged.every((one) => tiedAtTop(one.score) <= 0.01),
  });
  return { title: 'Calibration', body, targets };
}
