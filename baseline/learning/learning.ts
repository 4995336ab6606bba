/**
 * Learning: counts segments into cells (block of time × log partition), keeps a seeded sample of them for calibration, and
 * publishes versions (DETECTION §5.4, §7; ARCHITECTURE decision 9). Scoring before learning is the caller's part.
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { LearningConfig } from '../../schemas/config/learning.ts';
import { PLACE_STRIDE, type Segment, type SegmentSpans, type Symbols } from '../../traces/segment.ts';
import type { Baseline } from '../baseline.ts';
import type { GroupLearners } from '../learners.ts';
import type { BaselineEntry, LearnContext } from '../model.ts';
import { type Cell, createCell, keepSpans, labelsHash, learnInto, mergeCells, type Sample } from './cell.ts';
import { decodeCells, encodingCells } from './codec.ts';
import { countDistinct, createDistinct, mergeDistinct } from './distinct.ts';
import { clientHash, unitHash } from './hash.ts';
import { bucketMs, readinessOf } from './profile.ts';
import { publishSteps } from './publish.ts';

export interface LearningDeps {
  readonly symbols: Symbols;
  readonly learners: GroupLearners;
  /** Reads a kept segment back, for calibration; undefined when it cannot be read. The result is reused. */
  readonly rescore: (spans: SegmentSpans) => Segment | undefined;
}

export interface PublishOptions {
  /** Version this one follows, '' for the first. */
  readonly parent: string;
  /** Entries of the version before; empty for the first. */
  readonly previous: readonly BaselineEntry[];
  /** Next offset of each spans partition: everything learned lies below. */
  readonly offsets: readonly number[];
  /** A version before this one could raise alerts. */
  readonly alerted?: boolean;
  /** When the version before was cut: this one is cut after it, whatever times its segments have. */
  readonly afterMs?: number;
  /** Entries that no group makes, such as operation templates. */
  readonly extra?: readonly BaselineEntry[];
}

export interface Progress {
  readonly segments: number;
  readonly clients: number;
  readonly buckets: number;
  readonly sampled: number;
  /** What is missing before a first version can raise alerts, in words; empty when a publish is worth trying. */
  readonly missing: readonly string[];
}

export interface Learning {
  readonly bucketMs: number;
  /**
   * Counts one segment. `quarantined`: scored before, its p* was < 1e-4. `timeMs` puts it in its time bucket: its append
   * time, unless that says nothing, as with files, whose order need not be that of time.
   */
  learn(segment: Segment, spans: SegmentSpans, quarantined: boolean, timeMs?: number): void;
  progress(): Progress;
  /** Compiles and calibrates a version of everything learned so far. */
  publish(options: PublishOptions): Baseline;
  /** The same in steps: all of the counting is copied before the first yield, so learning may go on between them. */
  publishing(options: PublishOptions): Generator<void, Baseline>;
  /** What a trainer needs to go on with a partition after a restart; the segments' bytes are not in it. */
  encode(partition: number): Uint8Array;
  /** The same in steps, between which nothing of the partition may be learned. */
  encoding(partition: number): Generator<void, Uint8Array>;
  /** Takes up an encoded partition, replacing what is held of it. Throws BASELINE_DAMAGED, SCHEMA_MISMATCH. */
  restore(partition: number, bytes: Uint8Array): void;
  /** Forgets a partition that was taken away. */
  drop(partition: number): void;
  /** Forgets everything: it is about to be learned again, read in another way. */
  reset(): void;
}

export function createLearning(config: LearningConfig, deps: LearningDeps): Learning {
  const { learners } = deps;
  const width = bucketMs(config);
  const needs = readinessOf(config);
  const maxBlocks = 2 * config.folds;
  let cells: Cell[] = [];
  /** Buckets a block is wide; doubles as the learned span grows. */
  let blockBuckets = 1;
  /** Share of segments kept for calibration: those whose hash lies below. */
  let keepBelow = 1;
  let keptCount = 0;
  let keptBytes = 0;
  const context = { bucket: 0, client: 0, quarantined: false };
  let lastCell: Cell | undefined;
  let lastAddress: string | null = null;
  let lastClient = 0;

  function cellOf(partition: number, bucket: number): Cell {
    const block = Math.floor(bucket / blockBuckets);
    if (lastCell !== undefined && lastCell.partition === partition && lastCell.block === block) return lastCell;
    let cell = cells.find((c) => c.partition === partition && c.block === block);
    if (cell === undefined) {
      cell = createCell(learners, partition, block);
      cells.push(cell);
      if (widen()) return cellOf(partition, bucket);
    }
    lastCell = cell;
    return cell;
  }

  /** Joins neighbouring blocks while there are too many; true when it did. Depends on nothing but which blocks exist. */
  function widen(): boolean {
    let widened = false;
    while (new Set(cells.map((c) => c.block)).size > maxBlocks) {
      blockBuckets *= 2;
      for (const cell of cells) cell.block = Math.floor(cell.block / 2);
      joinEqualBlocks();
      widened = true;
    }
    return widened;
  }

  function joinEqualBlocks(): void {
    const joined = new Map<string, Cell>();
    for (const cell of cells) {
      const key = `${cell.partition}:${cell.block}`;
      const known = joined.get(key);
      if (known === undefined) joined.set(key, cell);
      else mergeCells(known, cell, learners);
    }
    cells = [...joined.values()];
    lastCell = undefined;
  }

  function keep(
    cell: Cell,
    segment: Segment,
    spans: SegmentSpans,
    { bucket, client, quarantined }: LearnContext,
  ): void {
    const hash = unitHash(segment.traceId + segment.entrySpanId, config.seed);
    if (hash >= keepBelow) return;
    const kept = keepSpans(spans, spans.spanCount * PLACE_STRIDE);
    let bytes = kept.places.byteLength;
    for (const record of kept.records) bytes += record.byteLength;
    cell.samples.push({
      hash,
      bucket,
      client,
      spans: kept,
      bytes,
      labels: labelsHash(segment),
      quarantined,
      scored: undefined,
    });
    keptCount++;
    keptBytes += bytes;
    if (keptCount > config.calibrationSegments || keptBytes > config.calibrationBytes) thin();
  }

  /** Lowers the bound so that the sample stays uniform over all traffic, whatever block it came from. */
  function thin(): void {
    const all: Sample[] = cells.flatMap((cell) => cell.samples).sort((a, b) => a.hash - b.hash);
    let count = 0;
    let bytes = 0;
    for (const sample of all) {
      if (count >= 0.8 * config.calibrationSegments || bytes + sample.bytes > 0.8 * config.calibrationBytes) {
        keepBelow = Math.min(keepBelow, sample.hash);
        break;
      }
      count++;
      bytes += sample.bytes;
    }
    for (const cell of cells) cell.samples = cell.samples.filter((sample) => sample.hash < keepBelow);
    keptCount = count;
    keptBytes = bytes;
  }

  function recount(): void {
    keptCount = 0;
    keptBytes = 0;
    for (const cell of cells) {
      keptCount += cell.samples.length;
      for (const sample of cell.samples) keptBytes += sample.bytes;
    }
  }

  /** Append times only go forward; in files a single trace of a wrong date would make all others old, and a long recording is meant whole. */
  function forgetOld(): void {
    if (config.profile === 'export') return;
    let newest = Number.NEGATIVE_INFINITY;
    for (const cell of cells) newest = Math.max(newest, cell.lastMs);
    const before = cells.length;
    cells = cells.filter((cell) => cell.lastMs >= newest - config.windowMs);
    if (cells.length !== before) {
      lastCell = undefined;
      recount();
    }
  }

  function progress(): Progress {
    const clients = createDistinct();
    const buckets = new Set<number>();
    let segments = 0;
    for (const cell of cells) {
      segments += cell.segments;
      mergeDistinct(clients, cell.clients);
      for (const bucket of cell.buckets) buckets.add(bucket);
    }
    const counted = { segments, clients: countDistinct(clients), buckets: buckets.size, sampled: keptCount };
    const missing: string[] = [];
    const need = (have: number, least: number, what: string): void => {
      if (have < least) missing.push(`${have} of ${least} ${what}`);
    };
    need(counted.segments, needs.minSegments, 'segments');
    need(counted.buckets, needs.minBuckets, `time buckets of ${width / 1000} s`);
    need(counted.clients, needs.minClients, 'clients');
    return { ...counted, missing };
  }

  function publishing(options: PublishOptions): Generator<void, Baseline> {
    forgetOld();
    return publishSteps(config, deps, cells, progress(), width, options);
  }

  const encoding = (partition: number): Generator<void, Uint8Array> =>
    encodingCells(
      cells.filter((cell) => cell.partition === partition),
      { bucketMs: width, blockBuckets, keepBelow },
      learners,
    );

  return {
    bucketMs: width,
    learn(segment, spans, quarantined, timeMs = segment.appendMs) {
      const bucket = Math.floor(timeMs / width);
      const { address } = segment.client;
      if (address !== lastAddress) {
        lastAddress = address;
        lastClient = clientHash(address);
      }
      context.bucket = bucket;
      context.client = lastClient;
      context.quarantined = quarantined;
      const cell = cellOf(spans.partition, bucket);
      learnInto(cell, learners, segment, context satisfies LearnContext, timeMs);
      keep(cell, segment, spans, context);
    },
    progress,
    publishing,
    publish: (options) => finish(publishing(options)),
    encoding,
    encode: (partition) => finish(encoding(partition)),
    restore(partition, bytes) {
      const restored = decodeCells(bytes, partition, learners);
      if (restored.frame.bucketMs !== width) {
        throw new SpanwardenError(
          'SCHEMA_MISMATCH',
          `learned with time buckets of ${restored.frame.bucketMs} ms, configured are ${width} ms: learn anew`,
        );
      }
      cells = cells.filter((cell) => cell.partition !== partition);
      while (blockBuckets < restored.frame.blockBuckets) {
        blockBuckets *= 2;
        for (const cell of cells) cell.block = Math.floor(cell.block / 2);
      }
      const ratio = blockBuckets / restored.frame.blockBuckets;
      for (const cell of restored.cells) cells.push({ ...cell, block: Math.floor(cell.block / ratio) });
      keepBelow = Math.min(keepBelow, restored.frame.keepBelow);
      for (const cell of cells) cell.samples = cell.samples.filter((sample) => sample.hash < keepBelow);
      joinEqualBlocks();
      widen();
      recount();
    },
    reset() {
      cells = [];
      lastCell = undefined;
      blockBuckets = 1;
      keepBelow = 1;
      recount();
    },
    drop(partition) {
      cells = cells.filter((cell) => cell.partition !== partition);
      lastCell = undefined;
      recount();
    },
  };
}

/** All steps at once. */
function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
