/** A day of traffic as people would live through it: alerts against the budget, then the same day with campaigns of attacks. */
import { PARAMETER_ATTACKS, STRUCTURAL_ATTACKS } from '../../../datasets/generated/attacks.ts';
import { type GeneratedTrace, generateTraffic } from '../../../datasets/generated/traffic.ts';
import { loadConfig } from '../../../runtime/config/load.ts';
import { incidentsOf, judge, learn, rangeOf } from './detector.ts';
import { count, type Section, table } from './section.ts';
import { LEARN_MS, recordsOf, SEED, traffic, type Worlds } from './world.ts';

const DAY_MS = 86_400_000;
/** Attacks of a campaign, by one address, each a few seconds after the one before. */
const CAMPAIGN = 20;

export async function day(worlds: Worlds): Promise<Section> {
  const { options } = worlds;
  const perSecond = options.quick ? 0.15 : 0.4;
  const traces = Math.round(86_400 * perSecond);
  options.say(`a day: ${traces} traces learned, and as many the day after`);
  const detector = await learn([...generateTraffic({ seed: 570_000 + SEED, traces, perSecond, startMs: LEARN_MS })]);
  const clean = [...generateTraffic({ seed: 571_000 + SEED, traces, perSecond, startMs: LEARN_MS + DAY_MS })];
  const { incidents, summary } = await incidentsOf(detector, clean, rangeOf(clean));
  const byClass = new Map<string, number>();
  for (const incident of incidents) {
    const key = `${incident.class} (${incident.kind})`;
    byClass.set(key, (byClass.get(key) ?? 0) + 1);
  }
  const security = incidents.filter((incident) => incident.class === 'security').length;
  const budget = loadConfig({ file: undefined, env: {} }).incidents.budgetPerDay;

  const kinds = [...STRUCTURAL_ATTACKS, ...PARAMETER_ATTACKS];
  const rows: string[][] = [];
  for (const [k, kind] of kinds.entries()) {
    const evil = { share: 1, shape: 'uniform', kinds: [kind], attackers: 1 } as const;
    const campaign = traffic({
      seed: 580_000 + 100 * SEED + k,
      traces: CAMPAIGN,
      perSecond: 0.3,
      startMs: LEARN_MS + DAY_MS + 3_600_000,
      contamination: evil,
    });
    rows.push([kind, ...(await lived(campaign))]);
  }

  async function lived(campaign: readonly GeneratedTrace[]): Promise<string[]> {
    const verdicts = judge(detector, recordsOf(campaign));
    const first = (hits: (i: number) => boolean): string => {
      const at = campaign.findIndex((_, i) => hits(i));
      if (at < 0) return 'never';
      return `${at + 1}. (${((campaign[at]!.endMs - campaign[0]!.startMs) / 1000).toFixed(0)} s)`;
    };
    const found = await incidentsOf(detector, campaign, rangeOf(campaign));
    const alerts = found.incidents.filter((incident) => incident.class === 'security');
    const named = alerts.filter((incident) => incident.client === campaign[0]!.truth.client).length;
    return [
      first((i) => verdicts.p[i]! <= 1e-3),
      first((i) => verdicts.hard[i] === 1),
      String(alerts.length),
      alerts.length === 0 ? '–' : `${named} of ${alerts.length}`,
    ];
  }

  return {
    title: 'A day: alerts against the budget, and time to detect',
    targets: [
      {
        what: 'security incidents on a clean day, default budget',
        target: `≤ ${budget} expected`,
        value: String(security),
        reached: security <= 2 * budget,
      },
    ],
    body: [
      `A day of ${count(traces)} traces learned (${perSecond} a second), the next day judged by the code of \`score --incidents\`: ${count(summary.anomalous)} traces ` +
        `with p ≤ 1e-3, ${incidents.length} incidents: ${[...byClass].map(([name, n]) => `${n} × ${name}`).join(', ') || 'none'}. ` +
        `The budget is ${budget} false alerts a day; a count of one day has a spread of its own root, so up to ${2 * budget} is called reached.`,
      `Campaigns of ${CAMPAIGN} attacks by one address, 0.3 a second: which of them was the first to be found, and when after the first began ` +
        '(evidence; a live detector adds its grace of at most 12 s where something is missing). An incident of a broken rule is keyed by operation, so it names a client only when all are one’s.',
      table(['campaign', 'first p ≤ 1e-3', 'first hard finding', 'security incidents', 'that name the address'], rows),
    ],
  };
}
