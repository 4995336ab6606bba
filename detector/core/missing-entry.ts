/**
 * A request whose entry span has not come, or never will: who the first span that is there was called by is one of our own
 * services, and no client (docs/attribution.md).
 */
import type { StructureModel } from '../../baseline/model.ts';
import type { ClientRecord, Verdict } from '../../schemas/log/verdict.ts';
import type { Segment } from '../../traces/segment.ts';

const REASON = 'entry-missing';

/** The headers of a proxy of ours name him, or he is the peer: whoever is so sure asked by himself, whatever parent he sent. */
const isSure = ({ confidence, reason }: ClientRecord): boolean =>
  confidence === 'high' || reason === 'headers-disagree';

/**
 * The same verdict, of nobody where the segment begins inside: its first span has a parent that is not there, and requests
 * do not enter with its operation. Where they do, the parent is one that an outsider sent. Users and sessions stand, as our
 * services named them; the peer stands as a hop of ours.
 */
export function withEntry(verdict: Verdict, segment: Segment, structure: Pick<StructureModel, 'mayEnter'>): Verdict {
  const { entryReason } = segment;
  if (entryReason === 'root' || verdict.asynchronous || verdict.originState !== 'none') return verdict;
  const { client } = verdict;
  if (isSure(client) || structure.mayEnter(segment.label[0]!)) return verdict;
  return { ...verdict, client: { ...client, address: null, source: 'none', confidence: 'none', reason: REASON } };
}

/** Its entry may still come: then the segment is part of another, which says who it was. */
export const isEntryMissing = ({ client, originState }: Verdict): boolean =>
  originState === 'none' && client.reason === REASON;
