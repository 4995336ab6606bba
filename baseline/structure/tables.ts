/** A version's lines as the arrays that scoring reads. Independent of the order of the lines. */
import type { Segment, Symbols } from '../../traces/segment.ts';
import type { Maturity } from '../model.ts';
import type { Mass, StructureLines } from './entries.ts';
import { buildFan, type Fan } from './fan.ts';
import { buildFollows, type FollowTable } from './follow-table.ts';
import { mix } from './hash.ts';
import { createNumberTable, insert, lookUp, type NumberTable } from './number-table.ts';
import { buildOrders, type OrderTable } from './order-table.ts';
import { lossOf, type RuleRow, ruleRow } from './rule-rows.ts';
import type { OutcomeClass } from './tree.ts';
import { buildTreePs, type TreePs } from './tree-table.ts';

export interface EdgeRow {
  readonly ok: number;
  readonly failed: number;
  readonly rank: number;
  readonly optional: boolean;
  readonly optionalFailed: boolean;
  readonly active: boolean;
  readonly fan: Fan;
}

export interface KnownChild {
  readonly label: number;
  readonly edge: number;
  readonly count: number;
}

export interface LabelRow {
  readonly text: string;
  /** In the model's symbol table. */
  readonly id: number;
  readonly service: number;
  readonly kind: number;
  readonly calls: number;
  readonly failed: number;
  readonly state: Maturity;
  /** p of a child that is not known here, backed off to the global one in state observe. */
  readonly edgeP: number;
  /** p of an unknown child set, by outcome class. */
  readonly setP: readonly [number, number, number];
  readonly hasChildren: boolean;
  readonly fan: Fan;
  /** Required children and, of this label, required ancestors. */
  readonly children: readonly RuleRow[];
  readonly ancestors: readonly RuleRow[];
  /** Of a client call that a span of another service answers as a rule: that service's index, else −1. */
  readonly answeredBy: number;
  /** p of an answer that does not come: telemetry gets lost as often. */
  readonly silentP: number;
  /** Some order of its children is evidence. */
  readonly ordered: boolean;
}

export interface Tables {
  /** Services that each service calls, in order. */
  readonly callees: ReadonlyMap<string, readonly string[]>;
  readonly symbols: Symbols;
  readonly labels: readonly LabelRow[];
  /** Index of the parent of entries; −1 in an empty model. */
  readonly root: number;
  readonly services: readonly string[];
  readonly serviceState: readonly Maturity[];
  /** Calls learned in each service. */
  readonly serviceCalls: readonly number[];
  readonly edgeTable: NumberTable;
  readonly edges: readonly EdgeRow[];
  /** Known children by label, most frequent first. */
  readonly childrenOf: readonly (readonly KnownChild[])[];
  readonly setTable: NumberTable;
  readonly setP: Float64Array;
  readonly setCount: Float64Array;
  readonly orders: OrderTable;
  readonly follows: FollowTable;
  readonly treeP: TreePs;
  readonly pairs: ReadonlySet<number>;
  readonly pairP: number;
  readonly operationP: number;
  readonly serviceP: number;
  /** Label index of a label id of the segment's symbols, −1 when unknown. */
  own(segment: Segment, labelId: number): number;
  /** Service index of a service symbol, −1 when unknown. */
  ownService(segment: Segment, serviceId: number): number;
}

export const edgeOf = (tables: Tables, parent: number, child: number): number =>
  lookUp(tables.edgeTable, parent * tables.labels.length + child);

export const setKeyOf = (parent: number, set: number, outcome: OutcomeClass): number => mix(set, parent * 4 + outcome);

const missing = ([unseen, of]: Mass, least = 0): number => (1 + unseen) / (1 + Math.max(of, least));

const byText = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);

export function buildTables(lines: StructureLines, symbols: Symbols): Tables {
  const { totals } = lines;
  const sorted = [...lines.labels].sort((x, y) => byText(x[0], y[0]));
  const index = new Map(sorted.map(([text], at) => [text, at]));
  const size = sorted.length;
  const root = index.get('') ?? -1;

  const services: string[] = [];
  const serviceIndex = new Map<string, number>();
  const ids = sorted.map(([text]) => (text === '' ? 0 : symbols.labelFromText(text)));
  const serviceOf = ids.map((id) => {
    if (id === 0) return -1;
    const text = symbols.text(symbols.labelOf(id).service);
    let service = serviceIndex.get(text);
    if (service === undefined) {
      service = services.length;
      services.push(text);
      serviceIndex.set(text, service);
    }
    return service;
  });

  const edgeTable = createNumberTable(lines.edges.length);
  const edges: EdgeRow[] = [];
  const childrenOf: KnownChild[][] = sorted.map(() => []);
  for (const line of lines.edges) {
    const parent = index.get(line.parent);
    const child = index.get(line.child);
    if (parent === undefined || child === undefined) continue;
    childrenOf[parent]!.push({ label: child, edge: edges.length, count: line.ok + line.failed });
    insert(edgeTable, parent * size + child, edges.length);
    edges.push({
      ok: line.ok,
      failed: line.failed,
      rank: line.rank,
      optional: line.optional,
      optionalFailed: line.optionalFailed,
      active: line.state === 'active',
      fan: buildFan(line.counts, line.max),
    });
  }

  for (const children of childrenOf) children.sort((x, y) => y.count - x.count || x.label - y.label);

  const setTable = createNumberTable(lines.sets.length);
  const setP = new Float64Array(lines.sets.length);
  const setCount = new Float64Array(lines.sets.length);
  lines.sets.forEach((line, at) => {
    const parent = index.get(line.parent);
    if (parent === undefined) return;
    setP[at] = missing(line.mass);
    setCount[at] = line.count;
    insert(setTable, setKeyOf(parent, line.set, line.outcome), at);
  });

  const loss = lossOf(lines);
  const told = new Map(lines.telemetry);
  const context = {
    symbols,
    lines,
    index: (text: string) => index.get(text),
    idOf: (label: number) => ids[label]!,
    mainChild: (label: number) => {
      const main = childrenOf[label]!.find((child) => child.label !== label);
      return main && { label: main.label, share: main.count / Math.max(1, sorted[label]![1].calls) };
    },
  };
  const childRules: RuleRow[][] = sorted.map(() => []);
  const ancestorRules: RuleRow[][] = sorted.map(() => []);
  for (const line of [...lines.rules].sort((x, y) => byText(x.required, y.required))) {
    const subject = index.get(line.subject);
    if (subject === undefined) continue;
    const rules = line.form === 'child' ? childRules : ancestorRules;
    rules[subject]!.push(ruleRow(line, subject, context, loss));
  }
  const trees = buildTreePs(lines, sorted);
  const orders = buildOrders(lines, (text) => index.get(text));

  const globalEdgeP = missing(totals.edges);
  const serviceState: Maturity[] = services.map(() => 'observe');
  const serviceCalls = services.map(() => 0);
  const rankOf = { observe: 0, learning: 1, active: 2 } as const;
  const labels = sorted.map(([text, line], at): LabelRow => {
    const service = serviceOf[at]!;
    if (service >= 0) {
      serviceCalls[service]! += line.calls;
      if (rankOf[line.state] > rankOf[serviceState[service]!]) serviceState[service] = line.state;
    }
    const observed = line.state === 'observe';
    const setsOf = (outcome: OutcomeClass): number =>
      line.sets[outcome][1] < 30 ? missing(totals.sets[outcome]) : missing(line.sets[outcome]);
    const answers = told.get(line.answeredBy) ?? { missing: 0, of: 0 };
    return {
      text,
      id: ids[at]!,
      service,
      kind: ids[at] === 0 ? 0 : symbols.labelOf(ids[at]!).kind,
      calls: line.calls,
      failed: line.failed,
      state: line.state,
      edgeP: observed ? Math.max(globalEdgeP, 1 / (1 + line.calls)) : missing(line.edges, line.calls),
      setP: [setsOf(0), setsOf(1), setsOf(2)],
      hasChildren: childrenOf[at]!.length > 0,
      fan: buildFan(line.children, line.childrenMax),
      children: childRules[at]!,
      ancestors: ancestorRules[at]!,
      answeredBy: line.answeredBy === '' ? -1 : (serviceIndex.get(line.answeredBy) ?? -1),
      silentP: missing([answers.missing, answers.of]),
      ordered: orders.parents.has(at),
    };
  });

  const pairs = new Set<number>();
  for (const { caller, callee: called } of lines.pairs) {
    const from = serviceIndex.get(caller);
    const to = serviceIndex.get(called);
    if (from !== undefined && to !== undefined) pairs.add(from * services.length + to);
  }

  const byHash = createNumberTable(size);
  ids.forEach((id, at) => {
    if (id !== 0) insert(byHash, symbols.labelHash(id), at);
  });
  const callees = new Map<string, string[]>();
  for (const { caller, callee } of lines.pairs) callees.set(caller, [...(callees.get(caller) ?? []), callee].sort());

  return {
    callees,
    symbols,
    labels,
    root,
    services,
    serviceState,
    serviceCalls,
    edgeTable,
    edges,
    childrenOf,
    setTable,
    setP,
    setCount,
    orders,
    follows: buildFollows(lines),
    treeP: trees,
    pairs,
    pairP: Math.min(globalEdgeP, missing(totals.services)),
    operationP: missing(totals.labels),
    serviceP: missing(totals.services),
    ...lookUps(symbols, byHash, serviceIndex),
  };
}

/** A function of its own, so that what it holds on to are the tables and not the lines they were made from. */
function lookUps(
  symbols: Symbols,
  byHash: NumberTable,
  serviceIndex: ReadonlyMap<string, number>,
): Pick<Tables, 'own' | 'ownService'> {
  // Ids of the segment's symbol table → indices here, +2 so that 0 means not looked up yet.
  let mapped: Symbols = symbols;
  let ownLabels = new Int32Array(256);
  let ownServices = new Int32Array(256);
  const remap = (segment: Segment): void => {
    mapped = segment.symbols;
    ownLabels = new Int32Array(256);
    ownServices = new Int32Array(256);
  };
  const widened = (array: Int32Array<ArrayBuffer>, id: number): Int32Array<ArrayBuffer> => {
    const wider = new Int32Array(Math.max(array.length * 2, id + 1));
    wider.set(array);
    return wider;
  };

  return {
    own(segment, labelId) {
      if (segment.symbols !== mapped) remap(segment);
      if (labelId >= ownLabels.length) ownLabels = widened(ownLabels, labelId);
      let at = ownLabels[labelId]!;
      if (at === 0) {
        at = lookUp(byHash, mapped.labelHash(labelId)) + 2;
        ownLabels[labelId] = at;
      }
      return at - 2;
    },
    ownService(segment, serviceId) {
      if (segment.symbols !== mapped) remap(segment);
      if (serviceId >= ownServices.length) ownServices = widened(ownServices, serviceId);
      let at = ownServices[serviceId]!;
      if (at === 0) {
        at = (serviceIndex.get(mapped.text(serviceId)) ?? -1) + 2;
        ownServices[serviceId] = at;
      }
      return at - 2;
    },
  };
}
