/** The alert itself, as schemas/alerts/alert.schema.json declares it, signed (Standard Webhooks 1.0). */
import type { DestinationOf } from '../../schemas/config/alerts.ts';
import type { Format } from './post.ts';
import { secretsOf, signedHeaders } from './signature.ts';

export function createWebhook({ url, secret, headers }: DestinationOf<'webhook'>): Format {
  const secrets = secretsOf(secret);
  return (alert, nowMs) => ({
    url,
    headers: { ...headers, ...signedHeaders(secrets, alert.id, alert.body, nowMs) },
    body: alert.body,
    secrets: [...secrets, ...Object.values(headers)],
  });
}
