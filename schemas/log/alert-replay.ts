/**
 * An operator has a dead letter sent once more; a record of the `findings` topic, whose single owner delivers. It holds the alert as
 * it was kept, so that taking it needs no other place. JSON.
 */
import type { Alert } from '../alerts/incident.ts';

export interface AlertReplay {
  readonly alert: Alert;
  readonly destination: string;
  /** Of the delivery that was given up: a newer one is known already when the record is read again. */
  readonly revision: number;
  readonly attempt: number;
  readonly by: string;
  readonly atMs: number;
}
