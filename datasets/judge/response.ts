/** Holds decisions about actors against the ground truth: what response would have done to whom. Pure. */
import type { Decision } from '../../schemas/alerts/decision.ts';
import { attacksOf, type GroundTruth, type TruthEvent } from '../scenarios/truth.ts';

export interface DecisionResult {
  readonly scope: Decision['scope'];
  readonly value: string;
  readonly target: Decision['target'];
  readonly state: Decision['state'];
  readonly reason: string;
  /** The attack it is about, '' when about none. */
  readonly attack: string;
  /** Requests it would have met so far; of these, ones without any finding. */
  readonly matched: number;
  readonly matchedOrdinary: number;
}

export interface ResponseResult {
  /** Made, and refused by a rail. */
  readonly decisions: readonly DecisionResult[];
  /** Made, though about nobody who attacked. */
  readonly wrong: number;
}

export function judgeResponse(truth: GroundTruth, decisions: readonly Decision[]): ResponseResult {
  const attacks = attacksOf(truth);
  const results = decisions.map((decision): DecisionResult => {
    const { scope, value, target, state, reason, matched, matchedOrdinary } = decision;
    const attack = attacks.find((event) => isAbout(decision, event))?.name ?? '';
    return { scope, value, target, state, reason, attack, matched, matchedOrdinary };
  });
  return { decisions: results, wrong: results.filter((one) => isInForce(one) && one.attack === '').length };
}

const isInForce = ({ state }: { readonly state: Decision['state'] }): boolean =>
  state === 'simulated' || state === 'enforced';

function isAbout({ scope, value }: Decision, { clients, named }: TruthEvent): boolean {
  if (scope === 'ip') return clients.includes(value);
  if (scope === 'range') return named.by === 'network' && named.key === value;
  return named.by === 'user' && named.key === value;
}

/** Lines for people: what would have been blocked or marked, and what with it. */
export function responseLines({ decisions, wrong }: ResponseResult): string[] {
  const made = decisions.filter(isInForce);
  const refused = decisions.length - made.length;
  if (decisions.length === 0) return ['response (simulated): no decision'];
  const sum = (of: (one: DecisionResult) => number): number => made.reduce((total, one) => total + of(one), 0);
  const lines = [
    `response (simulated): ${made.length} decision${made.length === 1 ? '' : 's'} would have met ${sum((one) => one.matched)} requests, ` +
      `${sum((one) => one.matchedOrdinary)} of them without any finding; ${refused} refused by a rail`,
  ];
  for (const one of decisions) {
    const whom = one.attack === '' ? (isInForce(one) ? 'NOBODY WHO ATTACKED' : 'no attacker') : one.attack;
    const what = isInForce(one) ? `${TARGET[one.target]}, ${one.matched} requests` : `not done: ${one.reason}`;
    lines.push(`    ${one.scope} ${one.value} (${whom}): ${what}`);
  }
  if (wrong > 0) lines.push(`    ${wrong} WRONG`);
  return lines;
}

const TARGET: Readonly<Record<Decision['target'], string>> = {
  everything: 'banned',
  operations: 'kept from named operations',
  'reduced-rights': 'marked with its risk',
};
