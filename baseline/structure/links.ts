/** The rows of a merged partial, gathered by what they are about, with their verdicts of admission. */
import type { CompileOptions } from '../model.ts';
import { type Evidence, type Judge, pool } from './evidence.ts';
import { OK, ROOT } from './learn.ts';
import type { StructurePartial } from './partial.ts';
import { RowKind } from './tally.ts';

export interface LabelFacts {
  readonly hash: number;
  /** Calls that succeeded, failed, all. */
  ok: Evidence | undefined;
  failed: Evidence | undefined;
  all: Evidence;
  admitted: boolean;
}

export interface EdgeFacts {
  readonly parent: number;
  readonly child: number;
  ok: Evidence | undefined;
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

export interface Links {
  readonly labels: Map<number, LabelFacts>;
  /** By parent, then child. */
  readonly edges: Map<string, EdgeFacts>;
  readonly edgesOf: Map<number, EdgeFacts[]>;
  readonly cells: Map<string, [cell: number, evidence: Evidence][]>;
  readonly setsOf: Map<number, SetFacts[]>;
  readonly paths: Map<number, PathFacts>;
  readonly signatures: SignatureFacts[];
  text(hash: number): string;
  serviceOf(hash: number): string;
  kindOf(hash: number): number;
  /** True when `label` stands at an entry in less than `share` of its calls. */
  mostlyInternal(label: number, share: number): boolean;
}

export const edgeKey = (parent: number, child: number): string => `${parent} ${child}`;

export function gatherLinks(partial: StructurePartial, judge: Judge, options: CompileOptions): Links {
  const { tally } = partial;
  const { symbols } = options;
  const byKind: number[][] = Array.from({ length: 8 }, () => []);
  for (let row = 0; row < tally.size; row++) byKind[tally.kind[row]!]!.push(row);

  const pairUp = (rows: readonly number[], keyOf: (row: number) => string): Map<string, [number[], number[]]> => {
    const groups = new Map<string, [number[], number[]]>();
    for (const row of rows) {
      const key = keyOf(row);
      let group = groups.get(key);
      if (group === undefined) {
        group = [[], []];
        groups.set(key, group);
      }
      group[tally.c[row]! === OK ? 0 : 1].push(row);
    }
    return groups;
  };
  const some = (rows: readonly number[]): Evidence | undefined => (rows.length === 0 ? undefined : pool(tally, rows));

  const labels = new Map<number, LabelFacts>();
  for (const [ok, failed] of pairUp(byKind[RowKind.node]!, (row) => String(tally.a[row]!)).values()) {
    const hash = tally.a[(ok[0] ?? failed[0])!]!;
    const all = pool(tally, [...ok, ...failed]);
    const known = hash === ROOT || partial.labels.has(hash);
    labels.set(hash, { hash, ok: some(ok), failed: some(failed), all, admitted: known && judge.admitted(all) });
  }

  const edges = new Map<string, EdgeFacts>();
  const edgesOf = new Map<number, EdgeFacts[]>();
  const edgeRows = pairUp(byKind[RowKind.edge]!, (row) => edgeKey(tally.a[row]!, tally.b[row]!));
  for (const [key, [ok, failed]] of edgeRows) {
    const rows = [...ok, ...failed];
    const parent = tally.a[rows[0]!]!;
    const child = tally.b[rows[0]!]!;
    const all = pool(tally, rows);
    const admitted =
      judge.admitted(all) && labels.get(parent)?.admitted === true && labels.get(child)?.admitted === true;
    const edge: EdgeFacts = { parent, child, ok: some(ok), failed: some(failed), all, rows, admitted };
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
  const signatureRows = pairUp(byKind[RowKind.signature]!, (row) => edgeKey(tally.a[row]!, tally.b[row]!));
  for (const [ok, failed] of signatureRows.values()) {
    const rows = [...ok, ...failed];
    signatures.push({
      entry: tally.a[rows[0]!]!,
      multiset: tally.b[rows[0]!]!,
      ok: some(ok),
      failed: some(failed),
      all: pool(tally, rows),
    });
  }

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
    text: (hash) => (hash === ROOT ? '' : (partial.labels.get(hash) ?? '')),
    serviceOf: (hash) => (hash === ROOT ? '' : symbols.text(labelOf(hash).service)),
    kindOf: (hash) => (hash === ROOT ? 0 : labelOf(hash).kind),
    mostlyInternal(label, share) {
      const asEntry = edges.get(edgeKey(ROOT, label))?.all.count ?? 0;
      return asEntry < share * (labels.get(label)?.all.count ?? 0);
    },
  };
}
