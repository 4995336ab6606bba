/** The lines of a published version that hold structure: what compiling writes and loading rebuilds the model from. */

import type { BaselineEntry, Maturity } from '../model.ts';
import { type PackedEntries, packEntries } from '../packed-entries.ts';

/** [cell, count] pairs, ascending (see `cellOf`). */
export type Cells = readonly (readonly [number, number])[];

/** [unseen, of]: observations of keys that were not admitted, out of all. */
export type Mass = readonly [number, number];

/** By outcome class: succeeded, failed, succeeded though something below failed. */
export type ByOutcome<T> = readonly [T, T, T];

/** `totals`: one line. Masses are [unseen, of]: observations of keys that were not admitted, out of all. */
export interface TotalsLine {
  readonly segments: number;
  readonly clients: number;
  readonly buckets: number;
  readonly quarantined: number;
  /** Observations of new keys beyond a partial's caps. */
  readonly dropped: number;
  readonly edges: Mass;
  readonly labels: Mass;
  readonly services: Mass;
  readonly trees: Mass;
  /** Child sets. */
  readonly sets: ByOutcome<Mass>;
  /** Spans that never came, as far as others tell of them: server spans of clients', parents of orphans; out of all. */
  readonly lost: Mass;
}

/** `label`, keyed by its text; the parent of entries has the key ''. */
export interface LabelLine {
  readonly calls: number;
  /** Calls that failed, or below which something failed. */
  readonly failed: number;
  readonly state: Maturity;
  /** Mass of unknown children among the children ever drawn. */
  readonly edges: Mass;
  readonly sets: ByOutcome<Mass>;
  /** Segments that enter here: of no family with a signature, of all. */
  readonly trees: Mass;
  /** Of a client call: the service whose span is mostly beneath it; '' when there is none as a rule. */
  readonly answeredBy: string;
  /** Children in all. */
  readonly children: Cells;
  readonly childrenMax: number;
}

/** `edge`, keyed `parent → child`. */
export interface EdgeLine {
  readonly parent: string;
  readonly child: string;
  /** Calls of the parent with this child: succeeded; failed, or with something failed below. */
  readonly ok: number;
  readonly failed: number;
  readonly state: Maturity;
  /** Mean rank among its siblings. */
  readonly rank: number;
  /** The child is at times left out by parents that succeed; by any. */
  readonly optional: boolean;
  readonly optionalFailed: boolean;
  readonly counts: Cells;
  /** Largest count that several clients reached. */
  readonly max: number;
}

/** `set`, keyed `parent {set key}`, with the outcome class between them unless it is 0 (see `tree.ts`). */
export interface SetLine {
  readonly parent: string;
  readonly set: number;
  readonly outcome: 0 | 1 | 2;
  readonly count: number;
  /** Calls of this parent and outcome whose set is at most as frequent, unknown ones among them; out of all. */
  readonly mass: Mass;
  /** Labels of the set; empty when it is too large to spell out. */
  readonly children: readonly string[];
}

/** `pair`, keyed `caller → callee`. */
export interface PairLine {
  readonly caller: string;
  readonly callee: string;
  readonly count: number;
}

/** `rule`, keyed `parent ⇒ required` or `child under ancestor`. */
export interface RuleLine {
  readonly form: 'child' | 'ancestor';
  /** The parent that requires, or the child that may only be under `required`. */
  readonly subject: string;
  readonly required: string;
  readonly support: number;
  readonly violations: number;
  /** Pooled probability of a violation at one opportunity. */
  readonly p: number;
  /** Of calls that succeeded though something below them failed: with the required child, without it. */
  readonly degraded: readonly [number, number];
  /** Such calls keep the rule as well. */
  readonly degradedToo: boolean;
}

/** `order`, keyed `parent: first, second`; see `order-lines.ts`. */
export interface OrderLine {
  readonly parent: string;
  readonly first: string;
  readonly second: string;
  /** Calls in which `first` came before `second`, `second` before `first`, both at once. */
  readonly before: number;
  readonly after: number;
  readonly together: number;
}

/** `follow`, keyed by place: a parent and the two blocks of calls before (`follow.ts`), both hashed. */
export interface FollowLine {
  readonly place: number;
  /** Observations of next blocks that were not admitted. */
  readonly unseen: number;
  /** [key of the next block, how often], most frequent first. */
  readonly next: readonly (readonly [number, number])[];
}

/** `telemetry`, keyed by service: client spans whose server span in that service never came. */
export interface TelemetryLine {
  readonly missing: number;
  readonly of: number;
}

/** `family`, keyed `entry {set key}`: segments of this family whose tree is no signature, of all. */
export interface FamilyLine {
  readonly entry: string;
  readonly set: number;
  readonly mass: Mass;
}

/** `signature`, keyed `entry label #multiset key`. */
export interface SignatureLine {
  readonly entry: string;
  /** 1 is the most frequent of its entry operation. */
  readonly number: number;
  readonly multiset: number;
  readonly set: number;
  readonly ok: number;
  readonly failed: number;
  /** Admitted from segments whose entry call succeeded; else only as the shape of failing ones. */
  readonly okAdmitted: boolean;
  /** Exact counts that are admitted, the most frequent ones; segments with other counts, out of all. */
  readonly counted: readonly number[];
  readonly countedMass: Mass;
  readonly labels: readonly string[];
  /** [index into labels, parent node or −1, count bucket, fold bucket], pre-order. */
  readonly nodes: readonly (readonly [number, number, number, number])[];
}

export interface StructureLines {
  totals: TotalsLine;
  labels: [string, LabelLine][];
  edges: EdgeLine[];
  sets: SetLine[];
  pairs: PairLine[];
  rules: RuleLine[];
  orders: OrderLine[];
  follows: FollowLine[];
  telemetry: [string, TelemetryLine][];
  families: FamilyLine[];
  signatures: SignatureLine[];
}

export const EMPTY_TOTALS: TotalsLine = {
  segments: 0,
  clients: 0,
  buckets: 0,
  quarantined: 0,
  dropped: 0,
  edges: [0, 0],
  labels: [0, 0],
  services: [0, 0],
  trees: [0, 0],
  sets: [
    [0, 0],
    [0, 0],
    [0, 0],
  ],
  lost: [0, 0],
};

const line = (kind: string, key: string, value: unknown): BaselineEntry => ({
  group: 'structure',
  kind,
  key,
  value: JSON.stringify(value),
});

export const ruleKey = (rule: RuleLine): string =>
  rule.form === 'child' ? `${rule.subject} ⇒ ${rule.required}` : `${rule.subject} under ${rule.required}`;

export const signatureKey = (s: SignatureLine): string => `${s.entry} #${s.multiset.toString(36)}`;

export const orderName = (order: OrderLine): string => `${order.parent}: ${order.first}, ${order.second}`;

const OUTCOME_NAMES = ['', ' failed', ' degraded'] as const;

const setName = (set: SetLine): string => `${set.parent}${OUTCOME_NAMES[set.outcome]} {${set.set.toString(36)}}`;

export function* linesToEntries(lines: StructureLines): Iterable<BaselineEntry> {
  yield line('totals', '', lines.totals);
  for (const [text, value] of lines.labels) yield line('label', text, value);
  for (const edge of lines.edges) yield line('edge', `${edge.parent} → ${edge.child}`, edge);
  for (const set of lines.sets) yield line('set', setName(set), set);
  for (const pair of lines.pairs) yield line('pair', `${pair.caller} → ${pair.callee}`, pair);
  for (const rule of lines.rules) yield line('rule', ruleKey(rule), rule);
  for (const order of lines.orders) yield line('order', orderName(order), order);
  for (const follow of lines.follows) yield line('follow', follow.place.toString(36), follow);
  for (const [service, value] of lines.telemetry) yield line('telemetry', service, value);
  for (const f of lines.families) yield line('family', `${f.entry} {${f.set.toString(36)}}`, f);
  for (const s of lines.signatures) yield line('signature', signatureKey(s), s);
}

/** The inverse; lines of other groups and kinds are left out. */
export function linesFromEntries(entries: Iterable<BaselineEntry>): StructureLines {
  const { totals, labels, edges, sets, pairs, rules, orders, follows, telemetry, families, signatures } = linesOfPacked(
    packEntries(entries),
  );
  return { totals, labels, edges, sets, pairs, rules, orders, follows, telemetry, families, signatures };
}

/**
 * The same read when asked for, a kind at a time: as objects they take ten times what they are packed, all at once more than the
 * model that is made of them. Lines of the kind asked for last are the same ones when asked for again.
 */
export function linesOfPacked(packed: PackedEntries): Readonly<StructureLines> {
  let last = '';
  let held: readonly unknown[] = [];
  function values<T>(kind: string): T[] {
    if (kind !== last) {
      const own = [...packed.ofKind(kind)].filter(({ group }) => group === 'structure');
      held = own.map(({ key, value }) => (KEYED.has(kind) ? [key, JSON.parse(value)] : JSON.parse(value)));
      last = kind;
    }
    return held as T[];
  }
  return {
    get totals() {
      return values<StructureLines['totals']>('totals').at(-1) ?? EMPTY_TOTALS;
    },
    get labels() {
      return values<StructureLines['labels'][number]>('label');
    },
    get edges() {
      return values<EdgeLine>('edge');
    },
    get sets() {
      return values<SetLine>('set');
    },
    get pairs() {
      return values<PairLine>('pair');
    },
    get rules() {
      return values<RuleLine>('rule');
    },
    get orders() {
      return values<OrderLine>('order');
    },
    get follows() {
      return values<StructureLines['follows'][number]>('follow');
    },
    get telemetry() {
      return values<StructureLines['telemetry'][number]>('telemetry');
    },
    get families() {
      return values<StructureLines['families'][number]>('family');
    },
    get signatures() {
      return values<SignatureLine>('signature');
    },
  };
}

/** Kinds whose lines go by the entry's key. */
const KEYED: ReadonlySet<string> = new Set(['label', 'telemetry']);
