/** The parameters model of one version. */
import type { Symbols } from '../../traces/segment.ts';
import type { CoverageRow, Model } from '../model.ts';
import { coverageOf } from './coverage.ts';
import type { ModelData } from './data.ts';
import { entriesFromData } from './entries.ts';
import type { PatternFamily } from './patterns/pattern.ts';
import { createScorer } from './score.ts';
import { buildTables } from './tables.ts';

export const createParametersModel = (
  data: ModelData,
  symbols: Symbols,
  seed: number,
  families?: readonly PatternFamily[],
): Model => {
  const tables = buildTables(data, symbols, seed);
  return {
    ...createScorer(tables, seed, families),
    entries: () => entriesFromData(data),
    *coverage(): Iterable<CoverageRow> {
      for (const operation of data.operations) yield* coverageOf(operation);
    },
  };
};
