/** What an operator says of an incident; a record of the `findings` topic, so that a replay hears it at the same place. JSON. */

export const INCIDENT_ACTIONS = ['acknowledge', 'resolve', 'reopen', 'expect-once', 'expect-always', 'bad'] as const;
/**
 * `expect-once`: this occurrence was expected: the incident ends as expected, and what is still to come of it is not told.
 * `expect-always`: the same, and an edit of the baseline (`editId`) keeps it from coming again. `bad`: it was an attack: it counts
 * as a true alert for the budget, and cannot be expected until it is reopened.
 */
export type IncidentActionKind = (typeof INCIDENT_ACTIONS)[number];

export interface IncidentAction {
  /** Of the incident, or of one that it was merged into. */
  readonly incidentId: string;
  readonly action: IncidentActionKind;
  /** Who says it. */
  readonly by: string;
  readonly comment: string;
  /** When, milliseconds since the epoch. */
  readonly atMs: number;
  /** The edit made with it, '' without. */
  readonly editId: string;
}
