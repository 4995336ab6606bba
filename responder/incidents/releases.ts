/**
 * What belongs to no attacker is told by itself: the novelties of a service's new version are one incident to review (DETECTION §7),
 * spans that do not come are one notice a service. Neither shares traces or clients with anything: they swallow nothing.
 */
import type { Finding, FindingKind, Verdict } from '../../schemas/log/verdict.ts';
import { collectiveVerdict } from './collective.ts';
import { incidentId, noveltyKey, releaseIncidentId } from './explanation.ts';
import type { KeeperSink, Lifecycle } from './lifecycle.ts';
import type { Registry } from './registry.ts';
import { absorb, type IncidentState, MAX_MEMBERS, MAX_TRACES, toIncident } from './state.ts';
import { tellVerdict } from './story.ts';

/** A verdict's findings by what becomes of them. */
export interface Strands {
  /** Novelties of a release. */
  readonly released: readonly Finding[];
  /** Spans that did not come. */
  readonly missing: readonly Finding[];
  /** What is held against the request. */
  readonly rest: readonly Finding[];
}

/** What a new version may bring by itself; how long it takes, what it answers and what a client sends is no novelty of it. */
const NOVELTIES: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'unseen-operation',
  'unseen-edge',
  'service-pair',
  'child-set',
  'fan-out',
  'order',
  'whole-tree',
  'statement',
]);

/** Told by itself, whatever release it came with; a member of it all the same. */
const NEVER_ADMITTED: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'egress',
  'required-child',
  'required-ancestor',
  'statement',
]);

/** A verdict whose novelties came with a release is odd for the release's sake, unless the rest carries half of its evidence. */
const REST_SHARE = 0.5;

/**
 * Never part of a release, though of one: what no learning admits without an operator (egress, broken rules, statements on
 * `sensitiveTables`), and a statement that a parameter broke out into.
 */
export function createStrands(sensitiveTables: readonly string[]): (findings: readonly Finding[]) => Strands {
  const isSensitive = createTableMatcher(sensitiveTables);
  const isReleased = ({ release, kind, parameter, explanationKey }: Finding): boolean =>
    release !== undefined &&
    NOVELTIES.has(kind) &&
    !(kind === 'statement' && (parameter !== '' || isSensitive(explanationKey)));
  return (findings) => {
    const missing = findings.filter(({ kind }) => kind === 'missing-telemetry');
    const released = findings.filter(isReleased);
    if (missing.length === 0 && released.length === 0) return { released, missing, rest: findings };
    const rest = findings.filter((finding) => !missing.includes(finding) && !released.includes(finding));
    const carries = rest.reduce((sum, { share }) => sum + share, 0) >= REST_SHARE;
    const stands = released.length === 0 || carries || rest.some(({ hard, candidate }) => hard || candidate);
    return { released, missing, rest: stands ? rest : [] };
  };
}

/** Whether a statement's key (`operation · statement`) names one of the tables; a * stands for anything. */
function createTableMatcher(patterns: readonly string[]): (explanationKey: string) => boolean {
  const expressions = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .toLowerCase()
          .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')}$`,
      ),
  );
  return (explanationKey) => {
    const statement = explanationKey.slice(explanationKey.lastIndexOf(' · ') + 1).toLowerCase();
    const words = statement.split(/[\s,()]+/).flatMap((word) => [word, word.slice(word.lastIndexOf('.') + 1)]);
    return words.some((word) => expressions.some((expression) => expression.test(word)));
  };
}

export interface Bundles {
  /** `isNew`: not an amendment. */
  take(verdict: Verdict, strands: Strands, isNew: boolean, appendMs: number): void;
  /** About our own configuration: one notice, whatever it says. */
  notice(finding: Finding, of: Verdict, appendMs: number): void;
}

export function createBundles(deps: {
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly sink: KeeperSink;
}): Bundles {
  const { registry, lifecycle, sink } = deps;

  /** Its client and match line are those of whoever came by first: left out. */
  const carrier = (finding: Finding, verdict: Verdict, appendMs: number): Verdict => ({
    ...collectiveVerdict(finding, verdict.traceId, verdict.version, appendMs),
    id: verdict.id,
    entrySpanId: verdict.entrySpanId,
    ...(verdict.story && { story: verdict.story }),
  });

  function add(state: IncidentState, findings: readonly Finding[], verdict: Verdict, isNew: boolean, appendMs: number) {
    const isListed = state.traceIds.includes(verdict.traceId);
    if (isNew || (!isListed && state.traceIds.length < MAX_TRACES)) state.traceCount++;
    const carried = { ...carrier(findings[0]!, verdict, appendMs), p: verdict.p };
    absorb(state, carried, findings, appendMs);
    tellVerdict(state.story, { verdict: carried, findings, lead: findings[0]!, isNew }, lifecycle.limits());
  }

  function takeRelease(
    release: string,
    findings: readonly Finding[],
    verdict: Verdict,
    isNew: boolean,
    appendMs: number,
  ) {
    const id = releaseIncidentId(release);
    const known = registry.get(id);
    const isOpen = known !== undefined && (known.state === 'open' || known.expecting);
    const first = findings[0]!;
    const state = isOpen ? known : lifecycle.opened(id, first, carrier(first, verdict, appendMs), appendMs);
    Object.assign(state, { class: 'inventory', kind: 'release', explanationKey: release, entity: release, release });
    Object.assign(state, { service: release.slice(0, release.lastIndexOf('@')), operation: '', hard: false });
    state.noveltyKeys = [];
    const before = state.findings.length;
    add(state, findings, verdict, isNew, appendMs);
    state.noveltyKeys = [];
    state.title = titleOf(release, state.findings.length);
    sink.incident(toIncident(state));
    if (known === undefined) lifecycle.announce(state, appendMs);
    else if (state.state === 'open' && isTold(state.findings.length, before)) lifecycle.tellUpdate(state, appendMs);
  }

  function takeMissing(finding: Finding, verdict: Verdict, isNew: boolean, appendMs: number): void {
    const expected = registry.expectedOf(finding, verdict);
    const open = expected ?? registry.openOf(noveltyKey(finding));
    const of = carrier(finding, verdict, appendMs);
    const state = open ?? lifecycle.opened(incidentId(finding, of), finding, of, appendMs);
    add(state, [finding], verdict, isNew, appendMs);
    if (state.state === 'open') registry.index(state);
    sink.incident(toIncident(state));
    if (open === undefined) lifecycle.announce(state, appendMs);
  }

  return {
    notice: (finding, of, appendMs) => takeMissing(finding, of, true, appendMs),
    take(verdict, { released, missing, rest }, isNew, appendMs) {
      const told = rest.filter(({ release, hard, kind }) => release !== undefined && hard && NEVER_ADMITTED.has(kind));
      const members = [...released, ...told];
      for (const [release, findings] of Map.groupBy(members, (finding) => finding.release!))
        takeRelease(release, findings, verdict, isNew, appendMs);
      for (const [, [finding]] of Map.groupBy(missing, noveltyKey)) takeMissing(finding!, verdict, isNew, appendMs);
    },
  };
}

function titleOf(release: string, members: number): string {
  const at = release.lastIndexOf('@');
  const many = members >= MAX_MEMBERS ? `${MAX_MEMBERS} or more` : `${members}`;
  return `New release ${release.slice(at + 1)} of ${release.slice(0, at)}: ${many} ${members === 1 ? 'novelty' : 'novelties'} to review`;
}

/** Updates at 4, 16 and 64 members. */
const isTold = (members: number, before: number): boolean =>
  [4, 16, MAX_MEMBERS].some((step) => before < step && members >= step);
