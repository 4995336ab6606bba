/**
 * One attempt to post: a guarded target, one deadline for all of it, no redirects, a bounded look at the answer. Never rejects: what
 * goes wrong is the attempt's outcome.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Alert } from '../../schemas/alerts/incident.ts';
import { type AttemptOutcome, outcomeOf } from './retry.ts';
import type { TargetGuard } from './target-guard.ts';
import { line } from './text.ts';

export interface Outgoing {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Statuses that say this body is not taken, now or later. */
  readonly refusals?: readonly number[];
  /** Kept out of what is told of the answer, which may repeat them. */
  readonly secrets: readonly string[];
}

/** The request that tells an alert: what is sent is a function of what is kept, so that a replay can make it again. */
export type Format = (alert: Alert, nowMs: number) => Outgoing;

export interface PostDeps {
  readonly now: () => number;
  readonly guard: TargetGuard;
  /** Aborts when an attempt took too long. */
  readonly deadline: () => AbortSignal;
  /** For the error's text. */
  readonly timeoutMs: number;
}

/** Of an answer that is no success so much is shown; of any at most this is read. */
const SHOWN_CHARACTERS = 200;
const MAX_READ_BYTES = 16_384;

export function post(outgoing: Outgoing, deps: PostDeps, signal: AbortSignal): Promise<AttemptOutcome> {
  return new Promise((resolve) => {
    const fail = (error: string): void =>
      resolve({ kind: 'failed', httpStatus: 0, error: shown(error, outgoing.secrets), retryAfterMs: 0 });
    const late = deps.deadline();
    let request: ClientRequest;
    let answered: AttemptOutcome | undefined;
    try {
      const url = new URL(outgoing.url);
      deps.guard.check(url);
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      request = send(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'spanwarden',
          ...outgoing.headers,
          'content-length': Buffer.byteLength(outgoing.body),
        },
        lookup: deps.guard.lookup,
        signal: AbortSignal.any([signal, late]),
        agent: false,
      });
    } catch (error) {
      return fail((error as Error).message);
    }
    request.on('response', (response) => {
      const outcome = outcomeOf(
        response.statusCode ?? 0,
        response.headers['retry-after'],
        deps.now(),
        outgoing.refusals,
      );
      void beginningOf(response).then((answer) => {
        request.destroy();
        if (outcome.kind === 'delivered' || answer === '') return resolve(outcome);
        const error = shown(`${outcome.error}: ${answer}`, outgoing.secrets);
        resolve({ ...outcome, error });
      });
      answered = outcome;
      // it has it, whatever becomes of the rest of the answer
      if (outcome.kind === 'delivered') resolve(outcome);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (answered !== undefined) resolve(answered);
      else
        fail(
          late.aborted && !signal.aborted ? `no answer in ${deps.timeoutMs} ms` : error.message || (error.code ?? ''),
        );
    });
    request.end(outgoing.body);
  });
}

/** What came until there was enough, the end, an error or the deadline. */
function beginningOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(Buffer.concat(parts).toString('utf8', 0, MAX_READ_BYTES).trim());
    response.on('data', (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes >= MAX_READ_BYTES) done();
    });
    response.on('end', done).on('error', done).on('close', done);
  });
}

function shown(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '***');
  return line(clean, SHOWN_CHARACTERS);
}
