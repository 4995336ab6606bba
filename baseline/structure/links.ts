/** The rows of a merged partial, gathered by what they are about, with their verdicts of admission. */
import type { CompileOptions } from '../model.ts';
import { type Evidence, type Judge, pool } from './evidence.ts';
import { ROOT } from './learn.ts';
import type { StructurePartial } from './partial.ts';
import { ROW_KINDS, RowKind } from './tally.ts';
import { DEGRADED, FAILED, OK } from './tree.ts';

export interface LabelFacts {
  readonly hash: number;
  /** Calls that succeeded with nothing failing below them; with something failing below; that failed; all. */
  ok: Evidence | undefined;
  degraded: Evidence | undefined;
  failed: Evidence | undefined;
  all: Evidence;
  admitted: boolean;
}

export interface EdgeFacts {
  readonly parent: number;
  readonly child: number;
  ok: Evidence | undefined;
  degraded: Evidence | undefined;
  failed: Evidence | undefined;
  all: Evidence;
  rows: readonly number[];
  admitted: boolean;
}

export interface PathFacts {
  readonly above: number;
  readonly label: number;
  readonly evidence: Evidence;
}

export interface SetFacts {
  readonly parent: number;
  readonly set: number;
  readonly outcome: number;
  readonly row: number;
  readonly evidence: Evidence;
}

export interface SignatureFacts {
  readonly entry: number;
  readonly multiset: number;
  ok: Evidence | undefined;
  failed: Evidence | undefined;
  all: Evidence;
}

/** A pair of labels among the children of one label: how often in which relation (`order.ts`). */
export interface OrderFacts {
  readonly parent: number;
  readonly low: number;
  readonly high: number;
  /** By relation. */
  readonly seen: [Evidence | undefined, Evidence | undefined, Evidence | undefined];
}

/** Exact counts of one signature; blocks that follow at one place. */
export interface CountedFacts {
  readonly key: number;
  readonly evidence: Evidence;
}

/** Client calls that succeeded: something of the service called came, nothing came. */
export interface AnswerFacts {
  readonly label: number;
  answered: number;
  silent: number;
}

export interface Links {
  readonly labels: Map<number, LabelFacts>;
  /** By parent, then child. */
  readonly edges: Map<string, EdgeFacts>;
  readonly edgesOf: Map<number, EdgeFacts[]>;
  readonly cells: Map<string, [cell: number, evidence: Evidence][]>;
  readonly setsOf: Map<number, SetFacts[]>;
  readonly paths: Map<number, PathFacts>;
  readonly signatures: SignatureFacts[];
  /** By parent. */
  readonly orders: Map<number, OrderFacts[]>;
  readonly answers: Map<number, AnswerFacts>;
  /** By entry label and multiset key mixed. */
  readonly counted: Map<number, CountedFacts[]>;
  /** By place. */
  readonly follows: Map<number, CountedFacts[]>;
  text(hash: number): string;
  serviceOf(hash: number): string;
  operationOf(hash: number): string;
  kindOf(hash: number): number;
  /** True when `label` stands at an entry in less than `share` of its calls. */
  mostlyInternal(label: number, share: number): boolean;
}

export const edgeKey = (parent: number, child: number): string => `${parent} ${child}`;

export function gatherLinks(partial: StructurePartial, judge: Judge, options: CompileOptions): Links {
  const { tally } = partial;
  const { symbols } = options;
  const byKind: number[][] = Array.from({ length: ROW_KINDS }, () => []);
  for (let row = 0; row < tally.size; row++) byKind[tally.kind[row]!]!.push(row);

  /** Rows by key and outcome class. */
  const byOutcome = (
    rows: readonly number[],
    keyOf: (row: number) => string,
  ): Map<string, [number[], number[], number[]]> => {
    const groups = new Map<string, [number[], number[], number[]]>();
    for (const row of rows) {
      const key = keyOf(row);
      let group = groups.get(key);
      if (group === undefined) {
        group = [[], [], []];
        groups.set(key, group);
      }
      group[tally.c[row] as 0 | 1 | 2].push(row);
    }
    return groups;
  };
  const some = (rows: readonly number[]): Evidence | undefined => (rows.length === 0 ? undefined : pool(tally, rows));

  const labels = new Map<number, LabelFacts>();
  for (const rows of byOutcome(byKind[RowKind.node]!, (row) => String(tally.a[row]!)).values()) {
    const flat = rows.flat();
    const hash = tally.a[flat[0]!]!;
    const all = pool(tally, flat);
    const named = hash === ROOT || partial.labels.has(hash);
    labels.set(hash, {
      hash,
      ok: some(rows[OK]),
      degraded: some(rows[DEGRADED]),
      failed: some(rows[FAILED]),
      all,
      admitted: named && judge.admitted(all),
    });
  }

  const edges = new Map<string, EdgeFacts>();
  const edgesOf = new Map<number, EdgeFacts[]>();
  const edgeRows = byOutcome(byKind[RowKind.edge]!, (row) => edgeKey(tally.a[row]!, tally.b[row]!));
  for (const [key, byClass] of edgeRows) {
    const rows = byClass.flat();
    const parent = tally.a[rows[0]!]!;
    const child = tally.b[rows[0]!]!;
    const all = pool(tally, rows);
    const admitted =
      judge.admitted(all) && labels.get(parent)?.admitted === true && labels.get(child)?.admitted === true;
    const edge: EdgeFacts = {
      parent,
      child,
      ok: some(byClass[OK]),
      degraded: some(byClass[DEGRADED]),
      failed: some(byClass[FAILED]),
      all,
      rows,
      admitted,
    };
    edges.set(key, edge);
    const siblings = edgesOf.get(parent);
    if (siblings === undefined) edgesOf.set(parent, [edge]);
    else siblings.push(edge);
  }

  const cells = new Map<string, [number, Evidence][]>();
  for (const row of byKind[RowKind.cell]!) {
    const key = edgeKey(tally.a[row]!, tally.b[row]!);
    let list = cells.get(key);
    if (list === undefined) {
      list = [];
      cells.set(key, list);
    }
    list.push([tally.c[row]!, pool(tally, [row])]);
  }
  for (const list of cells.values()) list.sort((x, y) => x[0] - y[0]);

  const setsOf = new Map<number, SetFacts[]>();
  for (const row of byKind[RowKind.set]!) {
    const parent = tally.a[row]!;
    const facts = { parent, set: tally.b[row]!, outcome: tally.c[row]!, row, evidence: pool(tally, [row]) };
    const list = setsOf.get(parent);
    if (list === undefined) setsOf.set(parent, [facts]);
    else list.push(facts);
  }

  const paths = new Map<number, PathFacts>();
  for (const row of byKind[RowKind.path]!) {
    paths.set(tally.key[row]!, { above: tally.a[row]!, label: tally.b[row]!, evidence: pool(tally, [row]) });
  }

  const signatures: SignatureFacts[] = [];
  const signatureRows = byOutcome(byKind[RowKind.signature]!, (row) => edgeKey(tally.a[row]!, tally.b[row]!));
  for (const { [OK]: ok, [FAILED]: failed } of signatureRows.values()) {
    const rows = [...ok, ...failed];
    signatures.push({
      entry: tally.a[rows[0]!]!,
      multiset: tally.b[rows[0]!]!,
      ok: some(ok),
      failed: some(failed),
      all: pool(tally, rows),
    });
  }

  const orders = gatherOrders(partial, byKind[RowKind.order]!);
  const answers = new Map<number, AnswerFacts>();
  for (const row of byKind[RowKind.answer]!) {
    const label = tally.a[row]!;
    const facts = answers.get(label) ?? { label, answered: 0, silent: 0 };
    answers.set(label, facts);
    if (tally.c[row] === 1) facts.answered += tally.count[row]!;
    else facts.silent += tally.count[row]!;
  }

  const keyed = (kind: RowKind): Map<number, CountedFacts[]> => {
    const found = new Map<number, CountedFacts[]>();
    for (const row of byKind[kind]!) {
      const facts = { key: tally.b[row]!, evidence: pool(tally, [row]) };
      const known = found.get(tally.a[row]!);
      if (known === undefined) found.set(tally.a[row]!, [facts]);
      else known.push(facts);
    }
    return found;
  };

  const ids = new Map<number, number>();
  const labelOf = (hash: number) => {
    let id = ids.get(hash);
    if (id === undefined) {
      id = symbols.labelFromText(partial.labels.get(hash) ?? '');
      ids.set(hash, id);
    }
    return symbols.labelOf(id);
  };
  return {
    labels,
    edges,
    edgesOf,
    cells,
    setsOf,
    paths,
    signatures,
    orders,
    answers,
    counted: keyed(RowKind.counted),
    follows: keyed(RowKind.follow),
    text: (hash) => (hash === ROOT ? '' : (partial.labels.get(hash) ?? '')),
    serviceOf: (hash) => (hash === ROOT ? '' : symbols.text(labelOf(hash).service)),
    operationOf: (hash) => (hash === ROOT ? '' : symbols.text(labelOf(hash).operation)),
    kindOf: (hash) => (hash === ROOT ? 0 : labelOf(hash).kind),
    mostlyInternal(label, share) {
      const asEntry = edges.get(edgeKey(ROOT, label))?.all.count ?? 0;
      return asEntry < share * (labels.get(label)?.all.count ?? 0);
    },
  };
}

function gatherOrders(partial: StructurePartial, rows: readonly number[]): Map<number, OrderFacts[]> {
  const { tally } = partial;
  const facts = new Map<string, OrderFacts>();
  const byParent = new Map<number, OrderFacts[]>();
  for (const row of rows) {
    const parent = tally.a[row]!;
    const pair = tally.b[row]!;
    const labels = partial.orders.get(pair);
    if (labels === undefined) continue;
    const key = edgeKey(parent, pair);
    let known = facts.get(key);
    if (known === undefined) {
      known = { parent, low: labels[0], high: labels[1], seen: [undefined, undefined, undefined] };
      facts.set(key, known);
      const siblings = byParent.get(parent);
      if (siblings === undefined) byParent.set(parent, [known]);
      else siblings.push(known);
    }
    known.seen[tally.c[row] as 0 | 1 | 2] = pool(tally, [row]);
  }
  return byParent;
}
