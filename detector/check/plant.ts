/** Plants known anomalies into copies of normal segments and has them judged. */
import type { Baseline } from '../../baseline/baseline.ts';
import { JudgementStage } from '../../baseline/model.ts';
import type { Reader } from '../../traces/reading/reader.ts';
import type { Segment, SegmentSpans, Symbols } from '../../traces/segment.ts';
import { type Judged, toJudged } from './judged.ts';
import {
  type CopiedSpan,
  copyOfSegment,
  createCorpus,
  type LabelAt,
  MUTATION_KINDS,
  type Mutant,
  type MutationContext,
  type MutationKind,
  mutate,
  type Random,
  recordOf,
  segmentOfCopy,
} from './mutations/index.ts';
import { placesOf } from './mutations/places.ts';

export interface PlantedJudged extends Judged {
  readonly kind: MutationKind;
  readonly group: Mutant['group'];
  /** Entry operation of the segment it was planted in. */
  readonly operation: string;
  readonly words: string;
}

export interface PlantCounts {
  planted: number;
  equal: number;
  impossible: number;
}

export interface Plantings {
  readonly judged: readonly PlantedJudged[];
  readonly counts: ReadonlyMap<MutationKind, Readonly<PlantCounts>>;
}

export interface PlantDeps {
  readonly symbols: Symbols;
  readonly segment: Segment;
  readonly reader: Pick<Reader, 'read' | 'labelAt'>;
}

export interface PlantOptions {
  /** Anomalies of each kind, at most. */
  readonly each: number;
  readonly random: Random;
  /** Labels that rules require under another: `parent\nchild`. */
  readonly required: ReadonlySet<string>;
  readonly kinds?: readonly MutationKind[];
  readonly progress?: (planted: number) => void;
}

/** Attempts a kind, as a multiple of what is wanted of it: some traffic has hardly a place for it. */
const ATTEMPTS = 12;

export function plantInto(
  normal: readonly SegmentSpans[],
  baseline: Baseline,
  options: PlantOptions,
  { symbols, segment, reader }: PlantDeps,
): Plantings {
  const { each, random, kinds = MUTATION_KINDS } = options;
  const labelAt: LabelAt = (...place) => symbols.labelText(reader.labelAt(...place, baseline.templates));
  const label = (span: CopiedSpan): string => {
    const bytes = recordOf({ traceId: 'ab'.repeat(16), baseNs: 0n, spans: [span] });
    const [, resourceStart, resourceEnd, , , spanStart, spanEnd] = placesOf(bytes, 0);
    return labelAt(bytes, resourceStart!, resourceEnd!, spanStart!, spanEnd!);
  };
  const corpus = createCorpus();
  for (const spans of normal) {
    const copy = copyOfSegment(spans, labelAt);
    if (copy !== undefined) corpus.add(copy);
  }
  const context: MutationContext = { corpus, random, required: options.required, label };

  const judged: PlantedJudged[] = [];
  const counts = new Map(kinds.map((kind) => [kind, { planted: 0, equal: 0, impossible: 0 }]));
  const isOver = ({ planted, equal, impossible }: PlantCounts): boolean =>
    planted >= each || planted + equal + impossible >= Math.max(ATTEMPTS * each, normal.length);

  for (const spans of inRandomOrder(normal, each * ATTEMPTS, random)) {
    const open = kinds.filter((kind) => !isOver(counts.get(kind)!));
    if (open.length === 0) break;
    const copy = copyOfSegment(spans, labelAt);
    if (copy === undefined) continue;
    for (const kind of open) {
      const mutant = mutate(kind, copy, context);
      if (typeof mutant === 'string') {
        counts.get(kind)![mutant]++;
        continue;
      }
      if (!reader.read(segmentOfCopy(mutant.trace, spans), segment, baseline.templates)) continue;
      counts.get(kind)!.planted++;
      judged.push({
        ...toJudged(baseline.judge(segment, JudgementStage.absence)),
        kind,
        group: mutant.group,
        operation: copy.spans[0]!.label,
        words: mutant.words,
      });
    }
    options.progress?.(judged.length);
  }
  return { judged, counts };
}

/** Each once in random order, then again, until `most` were given. */
function* inRandomOrder<T>(items: readonly T[], most: number, random: Random): Iterable<T> {
  if (items.length === 0) return;
  for (let given = 0; given < Math.max(most, items.length); ) {
    const rest = [...items];
    for (let left = rest.length; left > 0; left--, given++) {
      const at = random.below(left);
      yield rest[at]!;
      rest[at] = rest[left - 1]!;
    }
  }
}
