/**
 * Whether a request names somebody else's span as its parent (ids that responses or outgoing calls gave away): docs/adr/038.
 *
 * Both say for sure who their clients are, and these differ, at one service, or where requests enter from outside. Or the request says
 * so, where requests enter, and the span above says nothing: a call, or a service behind the edge, that is not known to lead here.
 */
import type { EdgeTest, ForeignTest, SpanPlace } from '../assembly/contract.ts';
import type { Reader } from '../reading/reader.ts';
import { isSure } from './client.ts';

/** What a version knows of where requests enter; `appendMs` says which version. */
export interface Edges {
  readonly isEdge: EdgeTest;
  /** Whether requests may enter with the span's operation, and no call of it right under the parent's was learned. */
  isUninvited(span: SpanPlace, parent: SpanPlace, appendMs: number): boolean;
}

const NO_VERSION: Edges = { isEdge: () => false, isUninvited: () => false };

export const createForeignTest = (clientAt: Reader['clientAt'], edges: Edges = NO_VERSION): ForeignTest => {
  const sureClientOf = ({ bytes, resourceStart, resourceEnd, spanStart, spanEnd }: SpanPlace) => {
    const client = clientAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd);
    return client !== null && isSure(client) ? client : null;
  };
  return (span, parent, underCall, appendMs) => {
    if (underCall) return edges.isUninvited(span, parent, appendMs) && sureClientOf(span) !== null;
    const own = sureClientOf(span);
    if (own === null) return false;
    const above = sureClientOf(parent);
    if (above === null) return edges.isUninvited(span, parent, appendMs);
    if (above.address === own.address) return false;
    return above.service === own.service || edges.isEdge(span, appendMs);
  };
};
