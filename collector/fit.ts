/**
 * Writes records of spans, cutting those that the log finds too large: a topic may take less than `maxRecordBytes`
 * (Kafka's `max.message.bytes`). What it takes is learned from what it refused; records of one span cannot be cut.
 */
import { SpanwardenError } from '../runtime/errors.ts';
import type { Log, NewRecord } from '../runtime/log/port.ts';
import { createTraceCutter, type TraceCutter } from '../schemas/otlp/cut.ts';

export interface FittingWriter {
  /**
   * Resolves when the log has them, with how many spans were left out as no record can hold them. Rejects as
   * Log.produce does: then some of the records may have been written.
   */
  write(records: readonly NewRecord[]): Promise<number>;
}

const isTooLarge = (error: unknown): boolean => error instanceof SpanwardenError && error.code === 'RECORD_TOO_LARGE';

export function createFittingWriter(log: Pick<Log, 'produce'>): FittingWriter {
  /** Size of the smallest record that was refused. */
  let refusedBytes = Number.POSITIVE_INFINITY;

  /** Only the record itself can say whether the log takes it: records are compressed. */
  async function writeAlone(record: NewRecord): Promise<number> {
    try {
      await log.produce('spans', [record]);
      return 0;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return spansIn(record.value);
    }
  }

  async function write(records: readonly NewRecord[]): Promise<number> {
    let fitting = records;
    let tooLarge = 0;
    for (;;) {
      if (fitting.some(({ value }) => value.length >= refusedBytes)) {
        const next: NewRecord[] = [];
        for (const record of fitting) {
          const parts = record.value.length < refusedBytes ? [record] : parted(record);
          if (parts === undefined) tooLarge += await writeAlone(record);
          else next.push(...parts);
        }
        fitting = next;
        continue;
      }
      if (fitting.length === 0) return tooLarge;
      try {
        await log.produce('spans', fitting);
        return tooLarge;
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        // it was the largest, if it was any; those beside it are written again, and assembly drops what it has twice
        refusedBytes = fitting.reduce((largest, { value }) => Math.max(largest, value.length), 0);
      }
    }
  }

  return { write };
}

const cutterOf = (maxRecordBytes: number): TraceCutter =>
  createTraceCutter({ maxRecordBytes, maxOutputBytes: Number.POSITIVE_INFINITY }, 0); // one trace: nobody's ids collide

const spansIn = (value: Uint8Array): number => cutterOf(Number.POSITIVE_INFINITY).cut(value, () => {}).spans;

/** Cuts a record in two or more; undefined when it has but one span. */
function parted({ kind, key, value }: NewRecord): NewRecord[] | undefined {
  // halves; where a span is larger than that, a larger part and a smaller one
  for (let rest = value.length / 2; rest >= 1; rest /= 2) {
    const parts: NewRecord[] = [];
    const cut = cutterOf(Math.ceil(value.length - rest)).cut(value, (_traceId, bytes) =>
      parts.push({ kind, key, value: bytes }),
    );
    if (cut.outcome === 'cut' && cut.rejected === 0 && parts.length > 1) return parts;
  }
  return undefined;
}
