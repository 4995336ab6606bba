/** The decisions that a command is about, with what they met: those in force are counted now, ended ones were after they ended. */
import type { ClickHouse } from '../../runtime/clickhouse/client.ts';
import {
  countMatched,
  type DecisionFilter,
  readDecisions,
  readRefusals,
} from '../../runtime/clickhouse/stored-decisions.ts';
import type { Decision } from '../../schemas/alerts/decision.ts';
import type { Reported } from './report.ts';

const WEEK_MS = 7 * 86_400_000;
const MADE: readonly Decision['state'][] = ['simulated', 'enforced', 'undone', 'expired'];

export interface Asked {
  readonly nowMs: number;
  /** Undefined: not said. */
  readonly withinMs: number | undefined;
  readonly most: number;
  readonly state: Decision['state'] | undefined;
  readonly inForce: boolean;
}

export interface Listed {
  readonly found: readonly Decision[];
  /** There are older ones. */
  readonly isCut: boolean;
}

/** A week, where nothing is said; what is in force, whenever it was made. */
export async function readListed(clickhouse: ClickHouse, asked: Asked): Promise<Listed> {
  const { nowMs, withinMs, inForce } = asked;
  const since = withinMs ?? (inForce ? undefined : WEEK_MS);
  return newest(clickhouse, asked, {
    ...(since !== undefined && { sinceMs: nowMs - since }),
    ...(inForce && { endingAfterMs: nowMs, states: ['simulated', 'enforced'] }),
    ...(asked.state !== undefined && { states: [asked.state] }),
  });
}

export const reportedSince = ({ nowMs, withinMs = WEEK_MS }: Asked): number => nowMs - withinMs;

/** Refused ones are counted by themselves: in an attack they are so many that none of the others would be left. */
export async function readReported(clickhouse: ClickHouse, asked: Asked): Promise<Reported> {
  const sinceMs = reportedSince(asked);
  const { found, isCut } = await newest(clickhouse, asked, { sinceMs, states: MADE });
  return { made: found, isCut, refused: await readRefusals(clickhouse, sinceMs) };
}

async function newest(clickhouse: ClickHouse, { most, nowMs }: Asked, filter: DecisionFilter): Promise<Listed> {
  const read = await readDecisions(clickhouse, { ...filter, limit: most + 1 });
  const found: Decision[] = [];
  for (const one of read.slice(0, most)) {
    const inForce = one.state === 'simulated' || one.state === 'enforced';
    const isUncounted = one.matched === 0 && one.state !== 'refused'; // its responder was stopped, or the query failed
    found.push(inForce || isUncounted ? { ...one, ...(await countMatched(clickhouse, one, nowMs)) } : one);
  }
  return { found, isCut: read.length > most };
}
