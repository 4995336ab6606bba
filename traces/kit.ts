/** What a role needs to read segments: symbols, a reader over them, a segment to read into. */
import type { AttributionConfig } from '../schemas/config/attribution.ts';
import type { ReadingConfig } from '../schemas/config/reading.ts';
import { createAttribution } from './attribution/client.ts';
import { createSegment } from './reading/columns.ts';
import { createReader, type Reader } from './reading/reader.ts';
import type { Segment, Symbols } from './segment.ts';
import { createSymbols } from './symbols.ts';

export interface ReadingKit {
  readonly symbols: Symbols;
  readonly reader: Reader;
  /** Reused from read to read. */
  readonly segment: Segment;
}

export function createReadingKit(config: {
  readonly reading: ReadingConfig;
  readonly attribution: AttributionConfig;
}): ReadingKit {
  const { maxTexts, maxLabels } = config.reading;
  const symbols = createSymbols({ maxTexts, maxLabels });
  const reader = createReader({ symbols, config: config.reading, attribution: createAttribution(config.attribution) });
  return { symbols, reader, segment: createSegment(symbols) };
}
