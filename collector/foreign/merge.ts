/**
 * Parts of traces that came in several records, joined by trace: a record of ours then holds what a batch brought of a
 * trace, however finely the exporter split it. TracesData is a repeated field, so joining is concatenation.
 */
import type { NewRecord } from '../../runtime/log/port.ts';
import { RecordKind } from '../../schemas/log/topics.ts';

export interface TraceMerger {
  /** Bytes held. */
  readonly bytes: number;
  /** Parts of one trace keep their order. */
  add(traceId: string, tracesData: Uint8Array): void;
  /** What was added since, and nothing is held any more. */
  take(): NewRecord[];
}

interface Parts {
  readonly key: string;
  readonly values: Uint8Array[];
  bytes: number;
}

const recordOf = ({ key, values }: Parts): NewRecord => ({
  kind: RecordKind.spans,
  key,
  value: values.length === 1 ? values[0]! : Buffer.concat(values),
});

/** Records get no larger than `maxRecordBytes` by joining. */
export function createTraceMerger(maxRecordBytes: number): TraceMerger {
  let full: NewRecord[] = [];
  let open = new Map<string, Parts>();
  let held = 0;
  return {
    get bytes() {
      return held;
    },
    add(traceId, tracesData) {
      held += tracesData.length;
      const parts = open.get(traceId);
      if (parts !== undefined && parts.bytes + tracesData.length <= maxRecordBytes) {
        parts.values.push(tracesData);
        parts.bytes += tracesData.length;
        return;
      }
      if (parts !== undefined) {
        full.push(recordOf(parts));
        open.delete(traceId);
      }
      open.set(traceId, { key: traceId, values: [tracesData], bytes: tracesData.length });
    },
    take() {
      const records = full;
      for (const parts of open.values()) records.push(recordOf(parts));
      full = [];
      open = new Map();
      held = 0;
      return records;
    },
  };
}
