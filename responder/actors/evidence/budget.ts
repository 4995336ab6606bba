/** What a class and a test may use of the budget of false alarms, and the bound that follows from that. */
import { ALARMING, PeerClass, TESTS, Test } from './tests.ts';

/** No bound is lower: a test that is hardly ever asked must not alarm at a whim. */
const FEWEST_A_DAY = 10_000;

/**
 * The pairs of class and test that can alarm share it, so that all together do as often as it says: foreign objects of a user, the test
 * that is hardest to tell, get about two fifths of it, those of an address a tenth each, every other pair the same.
 */
const SHARES: readonly number[] = ALARMING.flatMap((tests, peers) =>
  Array.from({ length: TESTS }, (_, test): number => {
    if (!tests.includes(test as Test)) return 0;
    if (test !== Test.foreign || peers > PeerClass.user) return 1;
    return peers === PeerClass.user ? 36 : 9;
  }),
);
const ALL_SHARES = SHARES.reduce((sum, share) => sum + share, 0);

/** `pair`: class × tests + test. */
export const mayAlarm = (pair: number): boolean => SHARES[pair]! > 0;

/** Decades of evidence that chance passes as often as it may; infinite where there may be no alarm. */
export const boundOf = (pair: number, observationsADay: number, budgetPerDay: number): number =>
  Math.log10((Math.max(FEWEST_A_DAY, observationsADay) * ALL_SHARES) / (SHARES[pair]! * budgetPerDay));
