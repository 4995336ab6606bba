/** How much actors of a class differ is learned from many of them, or taken from a class that is known; what nobody could fail is counted. */
import { describe, expect, it } from 'vitest';
import { createBaseRates, SHAPES } from '../../../responder/actors/base-rates.ts';
import { PeerClass, Test } from '../../../responder/actors/tests.ts';

const HOUR = 3_600_000;
/** What would have predicted best is the shape at this place. */
const lossesFor = (best: number): Float64Array => Float64Array.from(SHAPES, (_, i) => (i === best ? -0.1 : -1));

describe('how much actors differ', () => {
  it('is not learned from three of them: the class that stands in says it', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 60; n++) rates.addShape(PeerClass.client, Test.newAccount, lossesFor(4), true);
    for (let n = 0; n < 3; n++) rates.addShape(PeerClass.anonymousClient, Test.newAccount, lossesFor(0), true);
    rates.advance(HOUR, true);
    expect(rates.shape(PeerClass.client, Test.newAccount)).toBe(SHAPES[4]);
    expect(rates.shape(PeerClass.anonymousClient, Test.newAccount)).toBe(SHAPES[4]);
    expect(rates.shape(PeerClass.network, Test.newAccount)).toBe(0.8);
  });

  it('is not learned from one of them, however often', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 500; n++) rates.addShape(PeerClass.client, Test.newAccount, lossesFor(0), n === 0);
    rates.advance(HOUR, true);
    expect(rates.shape(PeerClass.client, Test.newAccount)).toBe(0.8);
  });
});

describe('tests that nobody could fail', () => {
  it('are counted', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 5_000; n++) {
      rates.add(PeerClass.client, Test.failedLogin, 0, n % 50 === 0, 1);
      rates.add(PeerClass.account, Test.newAccount, 0, n % 10 < 9, 1);
    }
    rates.advance(HOUR, true);
    expect(rates.unreachable()).toBe(1);
  });
});
