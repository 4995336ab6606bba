/**
 * Detectors that were broken on purpose, each in one way: `check` says so, by that reason, through the same code as the command. A
 * healthy one passes.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Baseline } from '../../../baseline/baseline.ts';
import { fuse } from '../../../baseline/fusion/calibration.ts';
import type { Judgement } from '../../../baseline/model.ts';
import { reportLines } from '../../../cli/check/text.ts';
import { createRandom } from '../../../detector/check/mutations/index.ts';
import { type Finding, GROUPS, type Group } from '../../../schemas/log/verdict.ts';
import type { SegmentSpans } from '../../../traces/segment.ts';
import { checkOn, learnMarket, nextDay } from '../../unit/check/market.ts';

let healthy: Baseline;
let traffic: SegmentSpans[];
beforeAll(() => {
  healthy = learnMarket(4_000);
  traffic = nextDay(1_000);
}, 300_000);

/** The same version with another word on every verdict. */
const judging = (change: (judgement: Judgement) => Judgement): Baseline => ({
  ...healthy,
  judge: (segment, stage) => change(healthy.judge(segment, stage)),
});

const check = (baseline: Baseline, segments = traffic) => checkOn(baseline, segments, { each: 15 });
const failed = async (baseline: Baseline) => {
  const { outcome, failures } = await check(baseline);
  return { outcome, checks: [...new Set(failures.map((one) => one.check))], failures };
};

/** p of one group changed, and all that follows from it; the p of the verdict stays as honest as it was. */
const withGroup = (group: Group, change: (p: number) => number): Baseline =>
  judging((judgement) => {
    const groups = { ...judgement.groups, [group]: Math.max(1e-300, change(judgement.groups[group])) };
    return { ...judgement, groups, score: fuse(GROUPS.map((one) => groups[one])) };
  });

/** What drowns the others ranks badly as well. */
const expectDrowning = (checks: readonly string[]): void =>
  expect(checks.filter((one) => one !== 'ranking')).toEqual(['drowning']);

const TIMEOUT_MS = 120_000;
describe('a detector', { timeout: TIMEOUT_MS }, () => {
  it('that is healthy passes', async () => {
    const report = await check(healthy);
    expect(report.failures).toEqual([]);
    expect(report.outcome).toBe('passed');
    expect(report.ranking.auroc).toBeGreaterThan(0.9);
    expect(report.kinds.length).toBeGreaterThan(20);
    expect(reportLines(report).join('\n')).toMatch(/^PASSED: /);
  });

  it('that scores nothing orders nothing', async () => {
    const { checks, failures } = await failed(
      judging((judgement) => ({
        ...judgement,
        p: 1,
        score: 0,
        anomalous: false,
        groups: { structure: 1, timing: 1, parameters: 1, status: 1 },
        findings: [],
      })),
    );
    expect(checks).toEqual(expect.arrayContaining(['ties', 'ranking', 'rate']));
    expect(failures.find((one) => one.check === 'ranking')!.reason).toMatch(/hardly tell/);
  });

  it('whose scores are noise, well calibrated', async () => {
    const random = createRandom(1);
    const { checks, failures } = await failed(
      judging((judgement) => {
        const p = random.next();
        return { ...judgement, p, score: -Math.log10(p), anomalous: p <= 1e-3, findings: [] };
      }),
    );
    expect(checks).toEqual(['ranking']);
    expect(failures[0]!.reason).toMatch(/hardly tell planted anomalies from normal requests/);
  });

  it('that ranks backwards', async () => {
    const { outcome, failures } = await failed(judging((judgement) => ({ ...judgement, score: -judgement.score })));
    expect(outcome).toBe('failed');
    expect(failures.find((one) => one.check === 'ranking')!.reason).toMatch(/ranks backwards/);
  });

  it('that alerts on everything, with hard findings for each', async () => {
    const random = createRandom(2);
    const finding = { kind: 'service-pair', hard: true } as Finding;
    const { checks, failures } = await failed(
      judging((judgement) => {
        const p = 1e-9 * random.next();
        return { ...judgement, p, score: -Math.log10(p), anomalous: true, findings: [finding] };
      }),
    );
    expect(checks).toEqual(expect.arrayContaining(['rate']));
    expect(failures.map((one) => one.reason).join('\n')).toMatch(/too many to be taken for real anomalies/);
    expect(failures.map((one) => one.reason).join('\n')).toMatch(/100 % have p ≤ 0\.001 .*over twice/);
  });

  it('that alerts on everything without saying why', async () => {
    const { checks } = await failed(judging((judgement) => ({ ...judgement, p: 1e-5 * judgement.p, anomalous: true })));
    expect(checks).toEqual(['rate']);
  });

  it.each(['timing', 'status', 'structure'] as const)('whose %s is over-confident by five decades', async (group) => {
    const { checks, failures } = await failed(withGroup(group, (p) => (p < 1 ? p * 1e-5 : p)));
    expectDrowning(checks);
    for (const { check: name, reason } of failures)
      if (name === 'drowning') expect(reason).toMatch(new RegExp(`^${group} drowns `));
  });

  it('one of whose groups is loud noise', async () => {
    const random = createRandom(3);
    const { checks, failures } = await failed(withGroup('parameters', () => 10 ** (-7 * random.next())));
    expectDrowning(checks);
    expect(failures.find((one) => one.check === 'drowning')!.reason).toMatch(/^parameters drowns /);
  });

  it('whose scores stop at a ceiling', async () => {
    const { checks, failures } = await failed(
      judging((judgement) => ({ ...judgement, score: Math.min(judgement.score, 1.5) })),
    );
    expect(checks).toEqual(['ties']);
    expect(failures).toHaveLength(2); // of normal traffic, and of what was planted
  });

  it('one of whose verdicts in fifty has no match', async () => {
    let verdicts = 0;
    const { checks, failures } = await failed(
      judging((judgement) =>
        verdicts++ % 50 === 0 ? { ...judgement, match: null as unknown as Judgement['match'] } : judgement,
      ),
    );
    expect(checks).toEqual(['match']);
    expect(failures[0]!.reason).toMatch(/^\d+ verdicts of [\d]+ say nothing of what they were compared with/);
  });

  it('whose matches are empty words', async () => {
    const { checks } = await failed(
      judging((judgement) => ({ ...judgement, match: { ...judgement.match, text: '' } })),
    );
    expect(checks).toEqual(['match']);
  });

  it('whose calibration is off by five, claiming too much', async () => {
    const { checks, failures } = await failed(judging((judgement) => ({ ...judgement, p: judgement.p / 5 })));
    expect(checks).toEqual(['rate']);
    expect(failures[0]!.reason).toMatch(/over twice of what is promised/);
  });

  it('whose calibration is off by a hundred, claiming too little', async () => {
    const { checks, failures } = await failed(
      judging((judgement) => ({ ...judgement, p: Math.min(1, 100 * judgement.p) })),
    );
    expect(checks).toEqual(['rate']);
    expect(failures[0]!.reason).toMatch(/under half of what is promised/);
  });

  it('that only observes', async () => {
    const { checks, failures } = await failed({
      ...healthy,
      coverage: () => healthy.coverage().map((row) => ({ ...row, state: 'observe' })),
    });
    expect(checks).toEqual(['observe']);
    expect(failures).toHaveLength(GROUPS.length);
  });

  it('that lost its rules', async () => {
    const { checks, failures } = await failed({
      ...healthy,
      *entries() {
        for (const entry of healthy.entries()) if (entry.kind !== 'rule') yield entry;
      },
    });
    expect(checks).toEqual(['rules']);
    expect(failures[0]!.reason).toMatch(/always make some call and have no rule/);
  });
});

describe('too little to judge', { timeout: TIMEOUT_MS }, () => {
  it('few requests are no pass', async () => {
    const report = await check(healthy, traffic.slice(0, 300));
    expect(report.outcome).toBe('not enough');
    expect(report.failures).toEqual([]);
    expect(report.notEnough[0]).toMatch(/300 whole requests were found; .* takes 1000/);
    expect(reportLines(report).join('\n')).toMatch(/^NOT ENOUGH to judge/);
  });

  it('no requests at all', async () => {
    const report = await check(healthy, []);
    expect(report.outcome).toBe('not enough');
    expect(reportLines(report).join('\n')).toContain('nothing was found');
  });

  it('a version that is still learning', async () => {
    const manifest = { ...healthy.manifest, alerting: false, learning: ['10 more requests'] };
    const report = await check({ ...healthy, manifest });
    expect(report.outcome).toBe('not enough');
    expect(report.notEnough[0]).toMatch(/still learning: 10 more requests/);
  });

  it('of traffic it may have learned from, a low rate says nothing', async () => {
    const manifest = { ...healthy.manifest, offsets: [1_000_000] };
    const report = await check({
      ...judging((judgement) => ({ ...judgement, p: Math.min(1, 100 * judgement.p) })),
      manifest,
    });
    expect(report.rates.map(({ of }) => of)).toEqual(['learned', 'learned']);
    expect(report.outcome).toBe('passed');
  });
});
