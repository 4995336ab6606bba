/** How far an attack got: stages in their order, and the MITRE ATT&CK technique where one fits (DETECTION §4). */

export const STAGES = [
  'reconnaissance',
  'probing',
  'exploitation',
  'lateral-movement',
  'access',
  'exfiltration',
] as const;
export type Stage = (typeof STAGES)[number];

/** What was seen of one stage. Times are evidence times, milliseconds since the epoch. */
export interface StageMark {
  readonly stage: Stage;
  /** MITRE ATT&CK technique, `T1190`; '' where none fits. */
  readonly technique: string;
  /** Finding kind, kind of abuse or weak signal that carried it. */
  readonly by: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}
