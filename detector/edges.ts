/**
 * Where requests enter, according to the version that judges them: what assembly asks of spans whose parent does not come, or may be
 * somebody else's.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { EdgeTest, SpanPlace } from '../traces/assembly/contract.ts';
import type { Edges } from '../traces/attribution/foreign.ts';
import type { Reader } from '../traces/reading/reader.ts';

/**
 * `isEdge`: an operation that requests enter with as a rule. When its remote parent never comes (a mobile client's own trace context, a
 * proxy that exports no spans) it closes after the grace, not after the absence grace.
 */
export function createEdges(
  versionAt: (appendMs: number) => Baseline | null,
  { labelAt, serviceAt }: Pick<Reader, 'labelAt' | 'serviceAt'>,
): Edges & { readonly isEdge: EdgeTest } {
  const labelOf = (
    { bytes, resourceStart, resourceEnd, spanStart, spanEnd }: SpanPlace,
    { templates }: Baseline,
  ): number => labelAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd, templates);
  return {
    isEdge(place, appendMs) {
      const version = versionAt(appendMs);
      return version?.models.structure.isEntry(labelOf(place, version)) ?? false;
    },
    isUninvited(span, parent, appendMs) {
      const version = versionAt(appendMs);
      if (version === null) return false;
      const { structure } = version.models;
      // most services are called by others only: told by their name, without their spans' attributes
      if (!structure.isEntered(serviceAt(span.bytes, span.resourceStart, span.resourceEnd))) return false;
      const label = labelOf(span, version);
      return structure.mayEnter(label) && !structure.isCall(labelOf(parent, version), label);
    },
  };
}
