/** API keys of bouncers, gateways and firewalls. Compared as hashes and in constant time, every one of them each time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ResponseKey } from '../../schemas/config/response.ts';

export interface KeyHolder {
  readonly name: string;
  readonly uses: ResponseKey['uses'];
}

export interface Keys {
  /** Whose it is; undefined for one that nobody has. */
  holder(key: string): KeyHolder | undefined;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
/** Longer ones are nobody's, and are not hashed. */
const MOST_CHARACTERS = 512;

export function createKeys(keys: readonly ResponseKey[]): Keys {
  const known = keys.map(({ name, uses, key }) => ({ holder: { name, uses }, digest: digest(key) }));
  return {
    holder(key) {
      if (key === '' || key.length > MOST_CHARACTERS) return undefined;
      const given = digest(key);
      let found: KeyHolder | undefined;
      for (const one of known) if (timingSafeEqual(one.digest, given)) found = one.holder;
      return found;
    },
  };
}
