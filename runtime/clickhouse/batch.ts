/**
 * Spans and verdicts on their way into ClickHouse: spans first, verdicts last, synchronously, one insert at a time. What
 * `flush` wrote stays written; what failed stays in the batch, byte for byte, for the next `flush`.
 */
import { randomUUID } from 'node:crypto';
import { type ByteSink, createByteSink } from '../../schemas/clickhouse/byte-sink.ts';
import {
  type createSpanRowWriter,
  SPAN_COLUMNS,
  type SpanPlaces,
  type SpanRowCounts,
} from '../../schemas/clickhouse/spans-row.ts';
import { VERDICT_COLUMNS, writeVerdictRow } from '../../schemas/clickhouse/verdict-row.ts';
import type { Verdict } from '../../schemas/log/verdict.ts';
import type { ClickHouse } from './client.ts';
import { insertBinary } from './statements.ts';

export interface Batch {
  /**
   * Takes a verdict and, unless null, the spans of its segment: encoded and redacted at once, so that the record bytes may
   * go. Spans whose id (16 hex digits) is in `knownSpanIds` are left out; those encoded are added to it. Without effect on
   * what is being flushed.
   */
  add(segment: SpanPlaces | null, verdict: Verdict, knownSpanIds?: Set<string>): void;
  readonly spans: number;
  readonly verdicts: number;
  /** Encoded and not yet stored: what `maxUnstoredBytes` bounds. */
  readonly bytes: number;
  /**
   * Writes everything added before the call. CLICKHOUSE_UNAVAILABLE: call again later; CLICKHOUSE_REJECTED: no attempt
   * will help. A second call while one runs waits for it first.
   */
  flush(): Promise<void>;
}

interface Block {
  readonly sink: ByteSink;
  readonly table: 'otel_traces' | 'verdicts';
  rows: number;
  readonly token: string;
}

export interface BatchDeps {
  readonly clickhouse: ClickHouse;
  readonly writer: ReturnType<typeof createSpanRowWriter>;
  redactVerdict(verdict: Verdict): Verdict;
  /** Whether the spans of the segment are stored (retention policy). */
  keeps(verdict: Verdict): boolean;
}

const FIRST_BYTES = 1 << 18;

export function createBatch(deps: BatchDeps): Batch {
  const { clickhouse, writer } = deps;
  const { maxInsertRows, maxInsertBytes } = clickhouse.config;
  let spanBlocks: Block[] = [];
  let verdictBlocks: Block[] = [];
  /** Blocks a flush is writing, in order; an unfinished one goes on with them. */
  const writing: Block[] = [];
  let running: Promise<void> | undefined;
  const spares: ByteSink[] = [];

  /** The block that takes the next row: the last one until it is full. */
  const open = (blocks: Block[], table: Block['table']): Block => {
    const last = blocks.at(-1);
    if (last !== undefined && last.rows < maxInsertRows && last.sink.length < maxInsertBytes) return last;
    const sink = spares.pop() ?? createByteSink(FIRST_BYTES);
    sink.length = 0;
    const block: Block = { sink, table, rows: 0, token: randomUUID() };
    blocks.push(block);
    return block;
  };

  const flushOnce = async (): Promise<void> => {
    writing.push(...spanBlocks, ...verdictBlocks);
    spanBlocks = [];
    verdictBlocks = [];
    while (writing.length > 0) {
      const [block] = writing;
      const columns = block!.table === 'verdicts' ? VERDICT_COLUMNS : SPAN_COLUMNS;
      if (block!.rows > 0)
        await insertBinary(
          clickhouse,
          block!.table,
          columns,
          block!.sink.bytes.subarray(0, block!.sink.length),
          block!.token,
        );
      writing.shift();
      if (spares.length < 2 && block!.sink.bytes.length <= maxInsertBytes * 2) spares.push(block!.sink);
    }
  };

  const count = (blocks: readonly Block[], of: (block: Block) => number): number =>
    blocks.reduce((sum, block) => sum + of(block), 0);
  const rowsOf = (table: Block['table']) => (block: Block) => (block.table === table ? block.rows : 0);
  const all = (of: (block: Block) => number): number =>
    count(spanBlocks, of) + count(verdictBlocks, of) + count(writing, of);

  return {
    add(segment, verdict, knownSpanIds) {
      if (segment !== null && deps.keeps(verdict)) {
        for (let i = 0; i < segment.spanCount; i++) {
          const block = open(spanBlocks, 'otel_traces');
          if (writer.writeSpan(block.sink, segment, i, knownSpanIds)) block.rows++;
        }
      }
      const block = open(verdictBlocks, 'verdicts');
      writeVerdictRow(block.sink, deps.redactVerdict(verdict));
      block.rows++;
    },
    get spans() {
      return all(rowsOf('otel_traces'));
    },
    get verdicts() {
      return all(rowsOf('verdicts'));
    },
    get bytes() {
      return all((block) => block.sink.length);
    },
    async flush() {
      while (running !== undefined) await running.catch(() => {}); // its caller is told
      running = flushOnce().finally(() => {
        running = undefined;
      });
      await running;
    },
  };
}

export type { SpanRowCounts };
