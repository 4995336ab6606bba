/** Signature headers of Standard Webhooks 1.0: one signature a secret, so that receivers can change theirs at leisure. */
import { Webhook } from 'standardwebhooks';

export function signedHeaders(
  secrets: readonly string[],
  id: string,
  body: string,
  nowMs: number,
): Readonly<Record<string, string>> {
  const at = new Date(nowMs);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(nowMs / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

export const secretsOf = (secret: string | readonly string[] | undefined): readonly string[] =>
  secret === undefined ? [] : typeof secret === 'string' ? [secret] : secret;
