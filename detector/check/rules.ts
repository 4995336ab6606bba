/** Whether every active operation that always makes a call has a rule that says so (DETECTION §1). */
import type { BaselineEntry, Maturity } from '../../baseline/model.ts';

export interface RuleCoverage {
  /** Active operations that were never seen to succeed without some call, learned well beyond the support a rule takes. */
  readonly operations: number;
  readonly withRule: number;
  /** Those without, and the call that each always makes. */
  readonly without: readonly { readonly operation: string; readonly always: string }[];
  /** Rules of all forms. */
  readonly rules: number;
}

interface LabelValue {
  readonly calls: number;
  readonly failed: number;
  readonly state: Maturity;
}
interface EdgeValue {
  readonly parent: string;
  readonly child: string;
  readonly ok: number;
  readonly state: Maturity;
}
interface RuleValue {
  readonly form: 'child' | 'ancestor';
  readonly subject: string;
  readonly required: string;
}

/** Support is counted after each client's influence was capped: beyond so many times of it, a rule is due. */
const WELL_BEYOND = 2;

/** `support`: observations a rule needs by the profile the version was learned with. */
export function ruleCoverage(entries: Iterable<BaselineEntry>, support: number): RuleCoverage {
  const succeeded = new Map<string, number>();
  const always = new Map<string, string>();
  const edges: EdgeValue[] = [];
  const ruled = new Set<string>();
  let rules = 0;
  for (const { group, kind, key, value } of entries) {
    if (group !== 'structure') continue;
    if (kind === 'label' && key !== '') {
      const { calls, failed, state } = JSON.parse(value) as LabelValue;
      if (state === 'active') succeeded.set(key, calls - failed);
    } else if (kind === 'edge') edges.push(JSON.parse(value) as EdgeValue);
    else if (kind === 'rule') {
      const rule = JSON.parse(value) as RuleValue;
      rules++;
      if (rule.form === 'child') ruled.add(rule.subject);
    }
  }
  for (const { parent, child, ok, state } of edges) {
    if (parent === child || state !== 'active' || ok < WELL_BEYOND * support) continue;
    if (ok >= (succeeded.get(parent) ?? Number.POSITIVE_INFINITY)) always.set(parent, child);
  }
  const without = [...always]
    .filter(([operation]) => !ruled.has(operation))
    .map(([operation, child]) => ({ operation, always: child }));
  return { operations: always.size, withRule: always.size - without.length, without, rules };
}

/** Labels that rules of the baseline require under another: `parent\nchild`. */
export function requiredChildren(entries: Iterable<BaselineEntry>): Set<string> {
  const required = new Set<string>();
  for (const { group, kind, value } of entries) {
    if (group !== 'structure' || kind !== 'rule') continue;
    const rule = JSON.parse(value) as RuleValue;
    if (rule.form === 'child') required.add(`${rule.subject}\n${rule.required}`);
  }
  return required;
}
