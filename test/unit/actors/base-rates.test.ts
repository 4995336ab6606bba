/** How much actors of a class differ is learned from many of them, or taken from a class that is known; what nobody could fail is counted. */
import { describe, expect, it } from 'vitest';
import { createBaseRates, SHAPES } from '../../../responder/actors/evidence/base-rates.ts';
import { ALARMING, PeerClass, TESTS, Test } from '../../../responder/actors/evidence/tests.ts';

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
    expect(rates.shape(PeerClass.network, Test.newAccount)).toBe(SHAPES[4]); // as of clients
    expect(rates.shape(PeerClass.account, Test.newAccount)).toBe(0.8);
  });

  it('is not learned from one of them, however often', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 500; n++) rates.addShape(PeerClass.client, Test.newAccount, lossesFor(0), n === 0);
    rates.advance(HOUR, true);
    expect(rates.shape(PeerClass.client, Test.newAccount)).toBe(0.8);
  });
});

describe('the budget', () => {
  it('is what all pairs of class and test that may alarm have together; the others have none', () => {
    const budget = 3;
    const aDay = 48_000;
    const rates = createBaseRates(budget);
    const fed = (nowMs: number, count: number): void => {
      for (let n = 0; n < count; n++)
        for (let pair = 0; pair < ALARMING.length * TESTS; pair++)
          rates.add(Math.floor(pair / TESTS), pair % TESTS, 0, false, 0);
      rates.advance(nowMs, true);
    };
    rates.advance(1, true);
    for (let hour = 1; hour <= 24; hour++) fed(hour * HOUR, Math.round(aDay / 24));
    let alarms = 0;
    for (let peers = 0; peers < ALARMING.length; peers++)
      for (let test = 0; test < TESTS; test++) {
        const share = aDay / 10 ** rates.bound(peers, test);
        expect(share > 0).toBe(ALARMING[peers]!.includes(test as Test));
        alarms += share;
      }
    expect(alarms).toBeGreaterThan(0.97 * budget);
    expect(alarms).toBeLessThan(1.03 * budget);
  });
});

describe('a class that is hardly known', () => {
  it('borrows its rates: networks and all together of clients, these of users; and is its own once it is known', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 20_000; n++) rates.add(PeerClass.user, Test.foreign, 3, n % 100 === 0, 1);
    for (let n = 0; n < 8; n++) rates.add(PeerClass.network, Test.foreign, 3, true, 1);
    for (const peers of [PeerClass.anonymousClient, PeerClass.client, PeerClass.network, PeerClass.everyone])
      expect(rates.rate(peers, Test.foreign, 3)).toBeCloseTo(0.0115, 3);
    expect(rates.rate(PeerClass.restricted, Test.foreign, 3)).toBe(1);
    for (let n = 0; n < 5_000; n++) rates.learn(PeerClass.network, Test.foreign, 3, n % 10 === 0, 1);
    expect(rates.rate(PeerClass.network, Test.foreign, 3)).toBeCloseTo(0.11, 2);
    expect(rates.rate(PeerClass.everyone, Test.foreign, 3)).toBeCloseTo(0.11, 2);
  });

  it('does not learn all at once what it did not know: who teaches it may be an attack', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    for (let n = 0; n < 20_000; n++) rates.add(PeerClass.user, Test.foreign, 3, n % 100 === 0, 1);
    rates.advance(HOUR, false);
    for (let minute = 0; minute < 60; minute++) {
      for (let n = 0; n < 200; n++) rates.add(PeerClass.anonymousClient, Test.foreign, 3, true, 1);
      rates.advance(HOUR + minute * 60_000, false);
    }
    expect(rates.rate(PeerClass.anonymousClient, Test.foreign, 3)).toBeLessThan(0.02);
    // what goes on for days is what is usual
    for (let hour = 2; hour < 80; hour++) {
      for (let n = 0; n < 200; n++) rates.add(PeerClass.anonymousClient, Test.foreign, 3, true, 1);
      rates.advance(hour * HOUR, false);
    }
    expect(rates.rate(PeerClass.anonymousClient, Test.foreign, 3)).toBeGreaterThan(0.9);
  });

  it('does not pay with its bound for what it only learns from', () => {
    const rates = createBaseRates(1);
    rates.advance(1, true);
    const before = rates.bound(PeerClass.network, Test.foreign);
    for (let n = 0; n < 100_000; n++) rates.learn(PeerClass.network, Test.foreign, 0, false, 1);
    rates.advance(HOUR, true);
    expect(rates.bound(PeerClass.network, Test.foreign)).toBe(before);
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
