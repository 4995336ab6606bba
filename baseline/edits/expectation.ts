/**
 * `expect always`: the smallest edit under which an incident does not come again: its own novelties by kind, explanation key
 * and operation, and nothing beside them (DETECTION §8).
 */
import { APPROVABLE, type Novelty } from '../../schemas/baselines/edit.ts';

/** A finding as a stored verdict has it. */
export interface StoredFinding {
  readonly kind: string;
  readonly explanationKey: string;
  readonly service: string;
  readonly operation: string;
  readonly hard: boolean;
  readonly candidate: boolean;
}

export interface Expected {
  readonly approve: readonly Novelty[];
  /** Findings of the incident that are not approved, as an edit cannot keep them away or they are not what it is about. */
  readonly left: readonly Pick<StoredFinding, 'kind' | 'explanationKey'>[];
}

/** Rules are told of softly where telemetry is at times missing: what the incident is about breaks them all the same. */
const RULES = new Set(['required-child', 'required-ancestor']);

/**
 * `verdicts`: findings of the incident's requests. What the incident leads with is approved, with whatever near-certain finding
 * comes with it in every request that has it.
 */
export function expectationOf(
  lead: { readonly kind: string; readonly explanationKey: string },
  verdicts: readonly (readonly StoredFinding[])[],
): Expected {
  const isLead = (finding: StoredFinding): boolean =>
    finding.kind === lead.kind && finding.explanationKey === lead.explanationKey;
  const own = verdicts.filter((findings) => findings.some(isLead));
  const approve = new Map<string, Novelty>();
  const left = new Map<string, Pick<StoredFinding, 'kind' | 'explanationKey'>>();
  const weighs = ({ hard, candidate, kind }: StoredFinding): boolean => hard || candidate || RULES.has(kind);
  for (const findings of own) {
    for (const finding of findings) {
      const always = own.every((others) =>
        others.some(({ kind, explanationKey }) => kind === finding.kind && explanationKey === finding.explanationKey),
      );
      const { kind, explanationKey, service, operation } = finding;
      const approvable = APPROVABLE.includes(kind);
      if (approvable && (isLead(finding) || (always && weighs(finding)))) {
        const novelty = { kind: kind as Novelty['kind'], explanationKey, service, operation };
        approve.set([kind, explanationKey, service, operation].join('\u0000'), novelty);
      } else if (weighs(finding)) left.set(`${kind}\u0000${explanationKey}`, { kind, explanationKey });
    }
  }
  for (const findings of verdicts.filter((one) => !own.includes(one)))
    for (const { kind, explanationKey, hard } of findings)
      if (hard) left.set(`${kind}\u0000${explanationKey}`, { kind, explanationKey });
  return { approve: [...approve.values()], left: [...left.values()] };
}
