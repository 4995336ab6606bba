/** All kinds of known anomalies (DETECTION §11), and planting one of them into a trace. */
import type { MutationContext, MutationGroup, Plant, Planted } from './mutation.ts';
import { attack } from './parameters.ts';
import { ATTACK_FAMILIES, type AttackFamily } from './payloads.ts';
import {
  foreign,
  missing,
  missingAuthorisation,
  moved,
  newDestination,
  reorder,
  repeated,
  servicePair,
  skippedAncestor,
} from './structure.ts';
import { failed, fast, slow } from './timing.ts';
import { cloneTrace, type TraceCopy } from './trace-copy.ts';

interface Kind {
  readonly group: MutationGroup;
  readonly plant: Plant;
}

const SECOND_NS = 1e9;

const KINDS = {
  missing: { group: 'structure', plant: missing },
  moved: { group: 'structure', plant: moved },
  'repeated ×2': { group: 'structure', plant: repeated(2) },
  'repeated ×3': { group: 'structure', plant: repeated(3) },
  'repeated ×10': { group: 'structure', plant: repeated(10) },
  foreign: { group: 'structure', plant: foreign },
  reorder: { group: 'structure', plant: reorder },
  'missing authorisation': { group: 'structure', plant: missingAuthorisation },
  'skipped ancestor': { group: 'structure', plant: skippedAncestor },
  'new service pair': { group: 'structure', plant: servicePair },
  'new destination': { group: 'parameters', plant: newDestination },
  'slow ×8': { group: 'timing', plant: slow(8, SECOND_NS) },
  'slow ×4': { group: 'timing', plant: slow(4, 0) },
  'fast ÷8': { group: 'timing', plant: fast(8) },
  error: { group: 'status', plant: failed },
} as const satisfies Readonly<Record<string, Kind>>;

export type MutationKind = keyof typeof KINDS | `attack: ${AttackFamily}`;

export const MUTATIONS: ReadonlyMap<MutationKind, Kind> = new Map<MutationKind, Kind>([
  ...(Object.entries(KINDS) as [keyof typeof KINDS, Kind][]),
  ...ATTACK_FAMILIES.map((family): [MutationKind, Kind] => [
    `attack: ${family}`,
    { group: 'parameters', plant: attack(family) },
  ]),
]);

export const MUTATION_KINDS: readonly MutationKind[] = [...MUTATIONS.keys()];

/** The kinds that DETECTION §11 judges on any clean traces: they need neither names nor parameters. */
export const STRUCTURAL_KINDS = [
  'missing',
  'moved',
  'repeated ×2',
  'repeated ×3',
  'repeated ×10',
  'foreign',
  'reorder',
] as const satisfies readonly MutationKind[];

export interface Mutant extends Planted {
  readonly kind: MutationKind;
  readonly group: MutationGroup;
}

/** `equal`: what came out equals a trace of the corpus, so it is no anomaly. `impossible`: the trace has no place for it. */
export type MutationResult = Mutant | 'equal' | 'impossible';

/** Plants one anomaly into a copy of the trace, which is left as it was. */
export function mutate(kind: MutationKind, trace: TraceCopy, context: MutationContext): MutationResult {
  const { group, plant } = MUTATIONS.get(kind)!;
  const planted = plant(cloneTrace(trace), context);
  if (planted === undefined) return 'impossible';
  if (group === 'structure') {
    const { corpus } = context;
    const known = kind === 'reorder' ? corpus.hasOrder(planted.trace) : corpus.hasStructure(planted.trace);
    if (known) return 'equal';
  }
  return { kind, group, ...planted };
}
