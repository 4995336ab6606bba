/**
 * Rules that hold without exception: required children of calls that succeed with nothing failing below them, required
 * ancestors (DETECTION §1).
 */
import type { BaselineEntry, CompileOptions } from '../model.ts';
import { linesFromEntries, type RuleLine, ruleKey } from './entries.ts';
import { absent, type Evidence, type Judge } from './evidence.ts';
import { binsOfFew, byFewClients, without } from './few.ts';
import { ROOT } from './learn.ts';
import type { Links, PathFacts } from './links.ts';

/** c must have been learned under at least so many entry operations before an ancestor of it is required. */
const ANCESTOR_ENTRIES = 3;
/** Of the ancestors shared by all paths to a label, so many nearest ones are kept. */
const ANCESTORS_KEPT = 4;
/** Below this share of its calls, a label at a segment's entry is a lost parent rather than an entry operation. */
const MOSTLY_INTERNAL = 0.05;

export function mineRules(links: Links, judge: Judge, options: CompileOptions): RuleLine[] {
  const mined = new Map<string, RuleLine>();
  const add = (rule: RuleLine): void => void mined.set(ruleKey(rule), rule);
  const { profile } = options;
  const once: number[] = [];
  const found: Omit<RuleLine, 'form' | 'p'>[] = [];
  const now = new Map<string, { support: number; violations: number }>();
  const candidates: Candidate[] = [];

  for (const edge of links.edges.values()) {
    if (edge.ok === undefined || edge.parent === edge.child || edge.parent === ROOT) continue;
    const parent = links.labels.get(edge.parent);
    if (parent?.ok === undefined || !edge.admitted || !parent.admitted) continue;
    const exceptions = absent(parent.ok, edge.ok);
    // After a failure that the caller swallowed, calls may be left out: such calls have counts of their own, and join
    // the others where they keep the rule.
    const kept = edge.degraded === undefined ? 0 : judge.capped(edge.degraded);
    const left = (parent.degraded?.count ?? 0) - (edge.degraded?.count ?? 0);
    const support = judge.capped(edge.ok) + (left === 0 ? kept : 0);
    const degraded = [kept, left] as const;
    const degradedToo = left === 0 && kept >= profile.ruleSupport;
    const subject = links.text(edge.parent);
    const required = links.text(edge.child);
    now.set(`${subject} ⇒ ${required}`, { support, violations: exceptions.count });
    if (support < profile.ruleSupport) continue;
    // In a window of one or two clients, one client's way is the system's.
    const others = options.clients >= profile.admitClients && edge.ok.clients >= profile.admitClients;
    const line = { subject, required, support, violations: exceptions.count, degraded, degradedToo };
    candidates.push({ line, exceptions, of: parent.ok, others });
  }
  const everybody = links.labels.get(ROOT)?.all;
  const exceptions = candidates.filter(isBroken).map(exceptionsOf);
  const few = everybody === undefined ? NOBODY : binsOfFew(exceptions, everybody, options.clients);
  for (const { line, exceptions, of, others } of candidates) {
    const left = others ? without(exceptions, few) : exceptions;
    if (left.count === 1) once.push(line.support);
    if (left.count === 0 || (others && byFewClients(left, of, options.clients))) found.push(line);
  }

  // A rule never seen broken is broken as often as rules that were seen broken once suggest (Good–Turing over rules).
  found.sort((x, y) => y.support - x.support);
  once.sort((x, y) => y - x);
  let opportunities = 0;
  let broken = 0;
  for (let from = 0, to = 0; from < found.length; from = to) {
    // rules of one support share their p: their order is an accident
    const { support } = found[from]!;
    while (broken < once.length && once[broken]! >= support) opportunities += once[broken++]!;
    for (; to < found.length && found[to]!.support === support; to++) opportunities += support;
    for (const rule of found.slice(from, to)) add({ form: 'child', ...rule, p: (1 + broken) / (1 + opportunities) });
  }
  for (const rule of mineAncestors(links, judge, options)) add(rule);

  // After the first version a rule goes only by an operator's hand: its violations are what it is there to find.
  for (const old of previousRules(options.previous)) {
    if (mined.has(ruleKey(old))) continue;
    const counts = now.get(ruleKey(old));
    const support = counts?.support ?? old.support;
    const violations = counts?.violations ?? old.violations;
    add({ ...old, support, violations, p: Math.max(old.p, (1 + violations) / (1 + support + violations)) });
  }
  return [...mined.values()].sort((x, y) => (ruleKey(x) < ruleKey(y) ? -1 : 1));
}

interface Candidate {
  readonly line: Omit<RuleLine, 'form' | 'p'>;
  readonly exceptions: Exceptions;
  /** All calls of the parent that succeeded. */
  readonly of: Evidence;
  /** Clients enough to tell one client's way from the system's. */
  readonly others: boolean;
}

type Exceptions = ReturnType<typeof absent>;

const NOBODY: ReadonlySet<number> = new Set();
const isBroken = ({ exceptions, others }: Candidate): boolean => others && exceptions.count > 0;
const exceptionsOf = ({ exceptions }: Candidate): Exceptions => exceptions;

const previousRules = (previous: readonly BaselineEntry[]): readonly RuleLine[] =>
  linesFromEntries(previous.filter((entry) => entry.kind === 'rule')).rules;

function* mineAncestors(links: Links, judge: Judge, { profile, clients }: CompileOptions): Iterable<RuleLine> {
  interface Found {
    support: number;
    readonly entries: Set<number>;
    /** Ancestors shared by all paths so far, nearest first. */
    shared: number[] | undefined;
  }
  const found = new Map<number, Found>();
  const exceptions = new Map<PathFacts, boolean>();
  /** It leaves what many do where only few clients do, or lies below such a path. What few do from the entry on is their own. */
  function isException(path: PathFacts): boolean {
    const unknown: PathFacts[] = [];
    let at: PathFacts | undefined = path;
    for (; at !== undefined && !exceptions.has(at); at = links.paths.get(at.above)) unknown.push(at);
    let above = at;
    for (const one of unknown.reverse()) {
      const below = above !== undefined && exceptions.get(above) === true;
      exceptions.set(one, below || (above !== undefined && byFewClients(one.evidence, above.evidence, clients)));
      above = one;
    }
    return exceptions.get(path) === true;
  }
  for (const path of links.paths.values()) {
    const chain: number[] = [];
    for (let at = links.paths.get(path.above); at !== undefined; at = links.paths.get(at.above)) chain.push(at.label);
    const entry = chain.at(-1);
    if (entry === undefined || links.mostlyInternal(entry, MOSTLY_INTERNAL)) continue;
    // One client's path, or that of few, is no exception that others would meet.
    if (path.evidence.clients === 1 && path.evidence.unattributed === 0) continue;
    if (isException(path)) continue;
    let label = found.get(path.label);
    if (label === undefined) {
      label = { support: 0, entries: new Set(), shared: undefined };
      found.set(path.label, label);
    }
    label.support += judge.capped(path.evidence);
    if (judge.admitted(path.evidence)) label.entries.add(entry);
    const previous: number[] | undefined = label.shared;
    label.shared = (previous ?? chain).filter((a) => a !== path.label && chain.includes(a));
  }
  let opportunities = 0;
  const rules: { subject: number; required: number; support: number }[] = [];
  for (const [subject, { support, entries, shared }] of found) {
    if (support < profile.ruleSupport || entries.size < ANCESTOR_ENTRIES || shared === undefined) continue;
    const required = [...new Set(shared)].filter((a) => !entries.has(a) && links.labels.get(a)?.admitted);
    for (const a of required.slice(0, ANCESTORS_KEPT)) rules.push({ subject, required: a, support });
    opportunities += support;
  }
  for (const { subject, required, support } of rules) {
    yield {
      form: 'ancestor',
      subject: links.text(subject),
      required: links.text(required),
      support,
      violations: 0,
      p: 1 / (1 + opportunities),
      degraded: [0, 0],
      degradedToo: true,
    };
  }
}
