/** What an operator says of a decision; a record of the `findings` topic, so that a replay hears it at the same place. JSON. */

export interface DecisionAction {
  /** Id of the decision, or the address, range or user whose decisions it is about. */
  readonly about: string;
  readonly action: 'undo';
  readonly by: string;
  readonly comment: string;
  readonly atMs: number;
}
