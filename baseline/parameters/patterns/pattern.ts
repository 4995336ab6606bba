/**
 * What an attack-pattern family is. Rules for its expressions, so that hostile text cannot make them slow: no nested
 * quantifiers, every gap bounded (`.{0,80}`), input at most one decode window, already in lower case.
 */

export interface PatternFamily {
  /** 1…63; part of the counters' keys: never renumber. */
  readonly id: number;
  /** For people, and part of the explanation key. */
  readonly name: string;
  /** MITRE ATT&CK technique or CWE, for the finding's text. */
  readonly reference: string;
  /** Characters without any of which the family cannot match; '' = always tried. */
  readonly needs: string;
  /** Near-certain: a hit on a parameter without benign hits is a hard finding. */
  readonly strong: readonly RegExp[];
  /** Unusual only: a feature with this parameter's own hit rate. */
  readonly hints: readonly RegExp[];
}
