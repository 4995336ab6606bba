/**
 * Rules broken in a segment, and what else may explain that a call is missing: its telemetry got lost, or a call before it
 * failed and the caller went on without a word (docs/adr/021).
 */
import { type Feature, feature } from './feature.ts';
import { LEAST_ORDERED } from './order-lines.ts';
import { orderOf } from './order-table.ts';
import type { RuleRow } from './rule-rows.ts';
import type { Tables } from './tables.ts';
import type { Tree } from './tree.ts';

/** A chain of calls is followed up this far for a required ancestor. */
const MAX_CLIMB = 256;

export interface Broken {
  readonly node: number;
  readonly rule: RuleRow;
}

/** Whether the children gathered last hold a required label that was not learned this time. */
export function hasChild(tables: Tables, tree: Tree, groups: number, rule: RuleRow): boolean {
  const hash = tables.symbols.labelHash(rule.id);
  for (let g = 0; g < groups; g++) if (tree.segment.symbols.labelHash(tree.groupLabel[g]!) === hash) return true;
  return false;
}

/**
 * A broken rule as a feature. `tested`: rules tested in the segment, as one of many may be broken by chance.
 * `telemetryLost`: other spans of the segment are known not to have come.
 */
export function brokenRule(
  tables: Tables,
  tree: Tree,
  own: Int32Array,
  { node, rule }: Broken,
  tested: number,
  telemetryLost: boolean,
): Feature {
  const { line } = rule;
  const above = tree.above[node]!;
  if (line.form === 'ancestor') {
    const p = Math.min(1, rule.p * tested);
    return feature('required-ancestor', false, node, above, p, severityOf(rule, rule.hard), line.support, {
      hard: rule.hard,
      rule: line,
    });
  }
  const failed = tree.degraded[node] === 1 && !line.degradedToo ? failedBefore(tables, tree, own, node, rule) : -1;
  // What calls with a failure below them leave out is counted apart, out of all calls that succeeded.
  const [kept, left] = line.degraded;
  const suspended = (1 + left) / (1 + line.support + kept + left);
  const p = Math.min(1, (failed < 0 ? rule.p : Math.max(rule.p, suspended)) * tested);
  const sure = failed < 0 && !telemetryLost;
  const hard = sure && rule.hard;
  return feature('required-child', true, node, above, p, severityOf(rule, hard), line.support, {
    hard,
    candidate: sure && rule.candidate,
    rule: line,
    other: failed,
  });
}

const severityOf = (rule: RuleRow, hard: boolean): number => (hard ? 3 : 1) + Math.log10(1 + rule.line.support);

/**
 * A child of the node that failed, or below which something did, and that may have come before what is missing; −1 when
 * all of them are known to come after it: then their failure explains nothing.
 */
function failedBefore(tables: Tables, tree: Tree, own: Int32Array, node: number, rule: RuleRow): number {
  const { first, next, failed, degraded } = tree;
  const parent = own[node]!;
  for (let child = first[node]!; child >= 0; child = next[child]!) {
    if (failed[child] === 0 && degraded[child] === 0) continue;
    if (rule.required < 0 || own[child]! < 0) return child;
    const order = orderOf(tables.orders, parent, own[child]!, rule.required);
    if (order < 0 || tables.orders.never[order] === 0 || tables.orders.of[order]! < LEAST_ORDERED) return child;
  }
  return -1;
}

/**
 * The nearest required ancestor that is not there. A chain with an operation that was never learned proves nothing: a new
 * route may well have its own guard, and the unknown operation is a finding of its own.
 */
export function missingAncestor(tree: Tree, own: Int32Array, from: number, rules: readonly RuleRow[]): RuleRow | null {
  const { above } = tree;
  let absent: RuleRow | null = null;
  for (const rule of rules) {
    let found = false;
    let climbed = 0;
    let top = from;
    for (let at = above[from]!; at >= 0; at = above[at]!) {
      if (own[at]! < 0 || ++climbed > MAX_CLIMB) return null;
      top = at;
      if (own[at] === rule.required) {
        found = true;
        break;
      }
    }
    if (!found && top !== 0) return null; // the chain ends at a span whose parent is missing
    if (!found) absent ??= rule;
  }
  return absent;
}
