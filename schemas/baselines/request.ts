/**
 * What an operator asks of the trainer: rows of `baseline_requests`, written by the console role or the command line and
 * answered by the one active trainer. Durable and idempotent: a request is known by its id, and the version made for it
 * carries that id.
 */

/**
 * `roll-back`: the models of an older version become current again, and stay until `resume`; operators' edits stay as they
 * are. `import`: a baseline learned elsewhere, confirmed by own traffic first (unless `force`). `resume`: versions learned
 * since a roll-back may become current again; with `forget`, of what is learned from now on only.
 */
export const BASELINE_REQUESTS = ['roll-back', 'import', 'resume'] as const;
export type BaselineRequestKind = (typeof BASELINE_REQUESTS)[number];

export interface BaselineRequest {
  /** Random, made by who asks: asking twice with one id is asking once. */
  readonly id: string;
  readonly kind: BaselineRequestKind;
  /** `roll-back`: a stored version. `import`: the id of the imported one, whose entries were stored before. `resume`: ''. */
  readonly version: string;
  /** `import`: its manifest, JSON; '' otherwise. */
  readonly manifest: string;
  /** `import`: without waiting for own traffic. */
  readonly force: boolean;
  /** `resume`: what was counted before is forgotten, and learning begins anew. */
  readonly forget: boolean;
  /** Who asks. */
  readonly by: string;
  readonly comment: string;
  /** When, milliseconds since the epoch. */
  readonly atMs: number;
}

/** `confirming`: an import is held against own traffic; `message` says how far. `refused`: `message` says why. */
export type BaselineAnswerState = 'open' | 'confirming' | 'done' | 'refused';

export interface BaselineAnswer {
  readonly state: BaselineAnswerState;
  readonly message: string;
  /** Version that was made for it, '' without. */
  readonly result: string;
  /** When, milliseconds since the epoch. */
  readonly atMs: number;
}

export interface AnsweredRequest extends BaselineRequest {
  readonly answer: BaselineAnswer;
}
