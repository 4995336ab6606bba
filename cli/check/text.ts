/** A check's report in words: the verdict first, then what it rests on. */
import type { CheckReport, KindReport } from '../../detector/check/report.ts';

const n = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`;

export function reportLines(report: CheckReport): string[] {
  const lines = [...verdict(report), '', ...traffic(report)];
  if (report.ranking.planted > 0) lines.push('', ...ranking(report));
  if (report.traffic.normal > 0)
    lines.push('', ...rates(report), '', ...spread(report), '', ...coverage(report), '', ...misses(report));
  return lines;
}

function verdict({ outcome, version, failures, notEnough }: CheckReport): string[] {
  if (outcome === 'not enough')
    return [`NOT ENOUGH to judge version ${version}:`, ...notEnough.map((what) => `  ${what}`)];
  if (outcome === 'passed') return [`PASSED: version ${version} does what it promises on this traffic`];
  return [
    `FAILED: version ${version} is not to be trusted on this traffic`,
    ...failures.map(({ check, reason, wayOut }) => `  ${check}: ${reason}; ${wayOut}`),
  ];
}

function traffic({
  traffic: { from, to, segments, sampled, whole, unfinished, unreadable, normal },
  leftOut,
}: CheckReport) {
  const lines = [
    from === null
      ? 'traffic     nothing was found'
      : `traffic     ${n(sampled)} of ${n(segments)} requests read, from ${from} to ${to}${whole ? '' : ', stretches spread over the time'}`,
  ];
  if (unfinished > 0) lines.push(`            ${n(unfinished)} had not ended where reading did`);
  if (unreadable > 0) lines.push(`            ${n(unreadable)} could not be read`);
  if (leftOut.hardFindings + leftOut.inIncidents > 0)
    lines.push(
      leftOut.believed
        ? `left out    ${n(leftOut.hardFindings)} with hard findings, ${n(leftOut.inIncidents)} in open security incidents: taken for real; ${n(normal)} are judged as normal`
        : `not left out ${n(leftOut.hardFindings)} with hard findings: too many to be taken for real`,
    );
  return lines;
}

const kindLine = ({ kind, planted, equal, recall }: KindReport): string =>
  `  ${kind.padEnd(24)}${n(planted).padStart(6)}  ${planted === 0 ? '       –        –        –' : [recall.at1in100, recall.at1in1000, recall.verdict].map((share) => percent(share).padStart(8)).join(' ')}${equal > 0.005 ? `   ${percent(equal)} equal normal traffic` : ''}`;

const ranking = ({ ranking: r, kinds }: CheckReport): string[] => [
  `ranking     ${n(r.planted)} planted anomalies: AUPRC ${r.auprc.toFixed(4)}, above a normal request in ${percent(r.auroc)}`,
  `  ${'kind'.padEnd(24)}planted   at 1 %  at 0.1 %  alerted`,
  ...kinds.map(kindLine),
  `  ${'all'.padEnd(24)}${n(r.planted).padStart(6)}  ${[r.recallAt1in100, r.recallAt1in1000, r.recallVerdict].map((share) => percent(share).padStart(8)).join(' ')}`,
];

const rates = ({ rates: all }: CheckReport): string[] =>
  all.length === 0
    ? ['false positives  not judged: too few requests']
    : all.map(
        ({ nominal, of, segments, realised, interval, ok }) =>
          `false positives  promised ${percent(nominal)}, seen ${percent(realised)} (95 %: ${percent(interval[0])} to ${percent(interval[1])}) of ${n(segments)}${of === 'learned' ? ', may have been learned from' : ''}${ok ? '' : '   NOT as promised'}`,
      );

const spread = ({ spread: s, groups }: CheckReport): string[] => [
  `scores      ${n(s.distinct)} distinct; median ${s.median.toFixed(2)}, 1 in 100 above ${s.top1in100.toFixed(2)}, 1 in 1,000 above ${s.top1in1000.toFixed(2)}, most ${s.most.toFixed(2)}; equal at the top ${percent(s.tiedAtTop)}, of the planted ${percent(s.plantedTiedAtTop)}`,
  ...groups
    .filter(({ recallWith, recallWithout }) => recallWithout - recallWith > 0.05)
    .map(
      ({ group, of, recallWith, recallWithout }) =>
        `            without ${group}, ${percent(recallWithout)} of anomalies of ${of} would be found at 0.1 %, with it ${percent(recallWith)}`,
    ),
];

const coverage = ({ coverage: shares, observed, rules }: CheckReport): string[] => [
  ...shares.map(
    ({ group, calls, observe, learning, active }) =>
      `coverage    ${group.padEnd(11)}${calls === 0 ? 'nothing of its kind in the traffic' : `${percent(active)} active, ${percent(learning)} learning, ${percent(observe)} only observed`}`,
  ),
  ...observed.slice(0, 5).map(
    ({ service, operation, calls, states }) =>
      `            observed  ${service} ${operation} (${n(calls)} calls): ${Object.entries(states)
        .filter(([, state]) => state === 'observe')
        .map(([group]) => group)
        .join(', ')}`,
  ),
  `rules       ${n(rules.rules)}; ${n(rules.withRule)} of ${n(rules.operations)} active operations that always make some call have one`,
];

function misses({ misses: all }: CheckReport): string[] {
  if (all.length === 0) return ['would miss  nothing of what was planted in more than one of ten'];
  return [
    'would miss  (alerted of planted, kind in entry operation)',
    ...all.flatMap(({ kind, operation, planted, recall, examples }) => [
      `  ${percent(recall).padStart(8)} of ${n(planted)}  ${kind} in ${operation}`,
      ...examples.map((words) => `              e.g. ${words}`),
    ]),
  ];
}
