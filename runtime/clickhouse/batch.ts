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
  /** Takes out what was added of a log partition, except the insert that is under way. */
  drop(partition: number): void;
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
  /** Rows that follow each other and come from one log partition. */
  runs: Run[];
}

interface Run {
  readonly partition: number;
  readonly from: number;
  to: number;
  rows: number;
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
  /** The one whose bytes are on the way right now: one that failed is not. */
  let sending: Block | undefined;
  let running: Promise<void> | undefined;
  const spares: ByteSink[] = [];

  /** The block that takes the next row: the last one until it is full. */
  const open = (blocks: Block[], table: Block['table']): Block => {
    const last = blocks.at(-1);
    if (last !== undefined && last.rows < maxInsertRows && last.sink.length < maxInsertBytes) return last;
    const sink = spares.pop() ?? createByteSink(FIRST_BYTES);
    sink.length = 0;
    const block: Block = { sink, table, rows: 0, token: randomUUID(), runs: [] };
    blocks.push(block);
    return block;
  };

  const extend = (block: Block, partition: number, from: number, rows: number): void => {
    block.rows += rows;
    const last = block.runs.at(-1);
    if (last?.partition !== partition) block.runs.push({ partition, from, to: block.sink.length, rows });
    else {
      last.to = block.sink.length;
      last.rows += rows;
    }
  };

  const flushOnce = async (): Promise<void> => {
    writing.push(...spanBlocks, ...verdictBlocks);
    spanBlocks = [];
    verdictBlocks = [];
    while (writing.length > 0) {
      const [block] = writing;
      const columns = block!.table === 'verdicts' ? VERDICT_COLUMNS : SPAN_COLUMNS;
      sending = block;
      try {
        if (block!.rows > 0)
          await insertBinary(
            clickhouse,
            block!.table,
            columns,
            block!.sink.bytes.subarray(0, block!.sink.length),
            block!.token,
          );
      } finally {
        sending = undefined;
      }
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
          const from = block.sink.length;
          if (writer.writeSpan(block.sink, segment, i, knownSpanIds)) extend(block, verdict.partition, from, 1);
        }
      }
      const block = open(verdictBlocks, 'verdicts');
      const from = block.sink.length;
      writeVerdictRow(block.sink, deps.redactVerdict(verdict));
      extend(block, verdict.partition, from, 1);
    },
    drop(partition) {
      for (const block of [...spanBlocks, ...verdictBlocks, ...writing])
        if (block !== sending) without(block, partition);
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

/** Takes the rows of a partition out of a block that nobody is writing. */
function without(block: Block, partition: number): void {
  if (block.runs.every((run) => run.partition !== partition)) return;
  const { sink, runs } = block;
  block.runs = [];
  block.rows = 0;
  let end = 0;
  for (const run of runs) {
    if (run.partition === partition) continue;
    sink.bytes.copyWithin(end, run.from, run.to);
    block.runs.push({ ...run, from: end, to: end + run.to - run.from });
    block.rows += run.rows;
    end += run.to - run.from;
  }
  sink.length = end;
}

export type { SpanRowCounts };
