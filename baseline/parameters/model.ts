/** The parameters model of one version. */
import type { Symbols } from '../../traces/segment.ts';
import type { CoverageRow, Model } from '../model.ts';
import type { ModelData } from './data.ts';
import { entriesFromData } from './entries.ts';
import { createScorer } from './score.ts';
import { buildTables } from './tables.ts';

export const createParametersModel = (data: ModelData, symbols: Symbols, seed: number): Model => {
  const tables = buildTables(data, symbols);
  return {
    score: createScorer(tables, seed),
    entries: () => entriesFromData(data),
    *coverage(): Iterable<CoverageRow> {
      for (const { service, operation, state, n } of data.operations) {
        yield { group: 'parameters', service, operation, state, count: n };
      }
    },
  };
};
