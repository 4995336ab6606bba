/** One attempt to post a signed alert (Standard Webhooks 1.0): signature, timeout, no redirects, guarded target. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Webhook } from 'standardwebhooks';
import type { Alert } from '../../schemas/alerts/incident.ts';
import { type AttemptOutcome, outcomeOf } from './retry.ts';
import { checkTarget, guardedLookup } from './target-guard.ts';

export interface WebhookTarget {
  readonly url: string;
  /** `whsec_` and base64. */
  readonly secret: string;
  readonly timeoutMs: number;
}

/** Never rejects: what goes wrong is the attempt's outcome. The response body is read away and not kept. */
export function postAlert(
  target: WebhookTarget,
  alert: Alert,
  now: () => number,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  return new Promise((resolve) => {
    const fail = (error: string): void => resolve({ kind: 'failed', httpStatus: 0, error, retryAfterMs: 0 });
    let url: URL;
    try {
      url = new URL(target.url);
      checkTarget(url);
    } catch (error) {
      return fail((error as Error).message);
    }
    const at = new Date(now());
    const body = Buffer.from(alert.body);
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'user-agent': 'spanwarden',
      'webhook-id': alert.id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(target.secret).sign(alert.id, at, alert.body),
    };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(target.timeoutMs)]);
    const request = send(
      url,
      { method: 'POST', headers, lookup: guardedLookup, signal: deadline, agent: false },
      (response) => {
        const status = response.statusCode ?? 0;
        const outcome = outcomeOf(status, response.headers['retry-after'], now());
        resolve(outcome);
        response.on('error', () => {}).resume();
        if (outcome.kind !== 'delivered') request.destroy();
      },
    );
    request.on('error', (error) =>
      fail(deadline.aborted && !signal.aborted ? `no answer in ${target.timeoutMs} ms` : error.message),
    );
    request.end(body);
  });
}
