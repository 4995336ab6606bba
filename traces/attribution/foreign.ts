/**
 * Whether a request names somebody else's as its parent (ids that responses or outgoing calls gave away): where both spans
 * say for sure who their clients are, and these differ, at one service, or where requests enter from outside.
 */
import type { EdgeTest, ForeignTest, SpanPlace } from '../assembly/contract.ts';
import type { Reader } from '../reading/reader.ts';
import type { ResolvedClient } from './client.ts';

/** `isEdge`: as assembly asks it, where a version knows. */
export const createForeignTest =
  (clientAt: Reader['clientAt'], isEdge: EdgeTest = () => false): ForeignTest =>
  (span, parent, appendMs) => {
    const clientOf = ({ bytes, resourceStart, resourceEnd, spanStart, spanEnd }: SpanPlace) =>
      clientAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd);
    const own = clientOf(span);
    if (own === null || !isSure(own)) return false;
    const above = clientOf(parent);
    if (above === null || !isSure(above) || above.address === own.address) return false;
    if (above.service === own.service) return true;
    const { bytes, resourceStart, resourceEnd, spanStart, spanEnd } = span;
    return isEdge(bytes, resourceStart, resourceEnd, spanStart, spanEnd, appendMs);
  };

/** Headers that disagree are no doubt here: whoever adds one of his own would go under somebody else's request by it. */
const isSure = ({ confidence, reason }: ResolvedClient): boolean =>
  confidence === 'high' || reason === 'headers-disagree';
