/**
 * A request whose entry span has not come, or never will: who the first span that is there was called by is one of our own
 * services, and no client (docs/attribution.md).
 */
import type { StructureModel } from '../../baseline/model.ts';
import { ENTRY_MISSING, type Verdict } from '../../schemas/log/verdict.ts';
import { isSure } from '../../traces/attribution/client.ts';
import type { Segment } from '../../traces/segment.ts';

/** Of whom nothing is known but by whom he was passed on. */
const UNKNOWN = { address: null, source: 'none', confidence: 'none', reason: ENTRY_MISSING } as const;

/**
 * The same verdict, of nobody where the segment begins inside: its first span has a parent that is not there, and requests
 * do not enter with its operation; where they do, the parent is one that an outsider sent. Whoever is known for sure asked
 * by himself, whatever parent he sent. Users and sessions stand, as our services named them; peer and hops stand as ours.
 */
export function withEntry(verdict: Verdict, segment: Segment, structure: Pick<StructureModel, 'mayEnter'>): Verdict {
  const { client, asynchronous, originState } = verdict;
  if (segment.entryReason === 'root' || asynchronous || originState !== 'none') return verdict;
  if (isSure(client) || structure.mayEnter(segment.label[0]!)) return verdict;
  return { ...verdict, client: { ...client, ...UNKNOWN } };
}

/** Its entry may still come: then the segment is part of another, which says who it was. */
export const isEntryMissing = ({ client, originState }: Verdict): boolean =>
  originState === 'none' && client.reason === ENTRY_MISSING;
