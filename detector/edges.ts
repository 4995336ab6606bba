/**
 * Which operations requests enter with, according to the version that judges them: one whose remote parent never comes (a
 * mobile client's own trace context, a proxy that exports no spans) closes after the grace, not after the absence grace.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { EdgeTest } from '../traces/assembly/contract.ts';
import type { Reader } from '../traces/reading/reader.ts';

export const createEdgeTest =
  (versionAt: (appendMs: number) => Baseline | null, labelAt: Reader['labelAt']): EdgeTest =>
  (bytes, resourceStart, resourceEnd, spanStart, spanEnd, appendMs) => {
    const version = versionAt(appendMs);
    if (version === null) return false;
    const label = labelAt(bytes, resourceStart, resourceEnd, spanStart, spanEnd, version.templates);
    return version.models.structure.isEntry(label);
  };
