/** Errors as RFC 9457 `application/problem+json`. */
import { STATUS_CODES } from 'node:http';

/** What a caller did wrong, or cannot have. */
export class ProblemError extends Error {
  readonly status: number;
  /** One line each, where there is more than one thing to say. */
  readonly errors: readonly string[];
  constructor(status: number, detail: string, errors: readonly string[] = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly string[];
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export const problemOf = (status: number, detail: string, errors: readonly string[] = []): Problem => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  detail,
  ...(errors.length > 0 && { errors }),
});
