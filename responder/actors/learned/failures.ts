/**
 * What failed lately, by hashes: which events were failed sign-ins, so that what is found in them later is not held against whose account
 * it was; and who failed last in a network or at an account, of which the second one makes an actor.
 */
import { hash32 } from '../hash.ts';
import { arraySource, type PartSource } from '../parts.ts';

const PAIRS = 1 << 16;
const SIGN_INS = 1 << 12;
const HOUR_S = 3_600;
const FORGOTTEN_HOURS = 24;

export interface Failures {
  /** An event that was a failed sign-in, by its id. */
  addSignIn(id: string): void;
  isSignIn(id: string): boolean;
  /** Whether somebody else failed in this network, or at this account, within the last day. */
  isSecondInNetwork(network: number, client: number, nowS: number): boolean;
  isSecondAtAccount(account: number, client: number, nowS: number): boolean;
  readonly parts: PartSource;
}

export function createFailures(seed: number): Failures {
  const lastFailed = new Uint32Array(2 * PAIRS);
  /** Hours since the epoch, the lower 16 bits. */
  const failedHours = new Uint16Array(2 * PAIRS);
  const failedSignIns = new Uint32Array(SIGN_INS);

  function isSecond(at: number, client: number, nowS: number): boolean {
    const hour = Math.floor(nowS / HOUR_S) & 0xffff;
    const before = ((hour - failedHours[at]!) & 0xffff) > FORGOTTEN_HOURS ? 0 : lastFailed[at]!;
    if (before !== 0 && before !== client) return true;
    lastFailed[at] = client;
    failedHours[at] = hour;
    return false;
  }

  return {
    addSignIn(id) {
      const hash = hash32(id, seed);
      failedSignIns[hash & (SIGN_INS - 1)] = hash;
    },
    isSignIn(id) {
      const hash = hash32(id, seed);
      return failedSignIns[hash & (SIGN_INS - 1)] === hash;
    },
    isSecondInNetwork: (network, client, nowS) => isSecond(network & (PAIRS - 1), client, nowS),
    isSecondAtAccount: (account, client, nowS) => isSecond(PAIRS + (account & (PAIRS - 1)), client, nowS),
    parts: arraySource('pairs', { lastFailed, failedHours, failedSignIns }),
  };
}
