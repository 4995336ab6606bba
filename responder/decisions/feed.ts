/** Banned addresses and ranges as text, one a line, for firewalls that fetch lists. Nothing but addresses ever stands in it. A captcha is no ban. */
import { createHash } from 'node:crypto';
import { parseNetwork } from './network.ts';
import type { Served } from './served.ts';

export interface Feed {
  readonly text: string;
  /** Strong: of the text. */
  readonly etag: string;
}

export function createFeed(served: Served): () => Feed {
  let version = -1;
  let feed: Feed = { text: '', etag: '' };
  return () => {
    if (served.version === version) return feed;
    version = served.version;
    const networks = served
      .all()
      .filter(({ type, target, scope }) => type === 'ban' && target === 'everything' && scope !== 'user')
      .map(({ value }) => parseNetwork(value))
      .filter((network) => network !== null);
    const lines = [...new Set(networks.map(({ text }) => text))].sort();
    const text = lines.map((line) => `${line}\n`).join('');
    feed = { text, etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"` };
    return feed;
  };
}

/** RFC 9110 §13.1.2: weakly compared, a list, or anything. */
export const isNoneMatch = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag));
