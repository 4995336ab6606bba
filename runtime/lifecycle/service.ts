/** What every long-lived part is: started once, giving a value; stopped once, within a deadline. */

export interface Service<T = void> {
  readonly name: string;
  /** Starts; resolves when the part can do its work. Rejects with a SpanwardenError and leaves nothing behind. */
  start(): Promise<T>;
  /** Drains and stops; resolves at the latest about `deadlineMs` milliseconds later. Safe to call twice. */
  stop(deadlineMs: number): Promise<void>;
}
