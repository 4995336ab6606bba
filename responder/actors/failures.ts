/**
 * What failed lately, by hashes: which events were failed sign-ins, so that what is found in them later is not held against whose account
 * it was; and who failed last in a network or at an account, of which the second one makes an actor.
 */
import { hash32 } from './hash.ts';
import { arraySource, type PartSource } from './parts.ts';

const PAIRS = 1 << 16;
const SIGN_INS = 1 << 12;

export interface Failures {
  /** An event that was a failed sign-in, by its id. */
  addSignIn(id: string): void;
  isSignIn(id: string): boolean;
  /** Whether somebody else failed in this network, or at this account, before. */
  isSecondInNetwork(network: number, client: number): boolean;
  isSecondAtAccount(account: number, client: number): boolean;
  readonly parts: PartSource;
}

export function createFailures(seed: number): Failures {
  const lastFailed = new Uint32Array(2 * PAIRS);
  const failedSignIns = new Uint32Array(SIGN_INS);

  function isSecond(at: number, client: number): boolean {
    const before = lastFailed[at]!;
    if (before === 0) lastFailed[at] = client;
    return before !== 0 && before !== client;
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
    isSecondInNetwork: (network, client) => isSecond(network & (PAIRS - 1), client),
    isSecondAtAccount: (account, client) => isSecond(PAIRS + (account & (PAIRS - 1)), client),
    parts: arraySource('pairs', { lastFailed, failedSignIns }),
  };
}
