/** Which operations are told apart, whatever paths are made up. */
import { describe, expect, test } from 'vitest';
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { hash32 } from '../../../responder/actors/hash.ts';
import { createOperations, MAX_OPERATIONS } from '../../../responder/actors/learned/operations.ts';
import { fromJsonBytes, jsonBytes } from '../../../responder/actors/parts.ts';
import { crowd, DAY, eventOf } from './events.ts';

const MADE_UP = MAX_OPERATIONS + 500;

describe('who used an operation', () => {
  test('is told from strangers, of whom hardly one seems to have, where dozens did', () => {
    const operations = createOperations([]);
    const id = operations.idOf('shop', 'GET /backoffice');
    const of = (n: number): number => hash32(`actor ${n}`, 5);
    for (let n = 0; n < 50; n++) operations.used(id, of(n));
    for (let n = 0; n < 50; n++) expect(operations.knows(id, of(n))).toBe(true);
    let taken = 0;
    for (let n = 50; n < 2_050; n++) if (operations.knows(id, of(n))) taken++;
    expect(taken).toBeLessThan(30);
  });
});

describe('operations', () => {
  test('that are declared stay so after any number of made-up paths, and an actor who used one is told from others', () => {
    const operations = createOperations(['/admin/*']);
    for (let i = 0; i < MADE_UP; i++) operations.idOf('gateway', `GET /w${i}`);
    const id = operations.idOf('gateway', 'GET /admin/export');
    expect(operations.isDeclared(id)).toBe(true);
    expect(operations.isRestricted(id)).toBe(true);
    operations.used(id, 7);
    expect(operations.knows(id, 7)).toBe(true);
    expect(operations.knows(id, 8)).toBe(false);
    expect(operations.isDeclared(operations.idOf('gateway', 'GET /orders'))).toBe(false);
  });

  test('that are declared stay so where every place is that of an established one', () => {
    const operations = createOperations(['DELETE /users/*']);
    operations.advance(DAY);
    for (let i = 0; i < MADE_UP; i++) {
      const id = operations.idOf('gateway', `GET /page${i}`);
      operations.used(id, 1);
      operations.used(id, 2);
    }
    expect(operations.isDeclared(operations.idOf('gateway', 'DELETE /users/17'))).toBe(true);
    expect(operations.isRestricted(operations.idOf('gateway', 'GET /users/17'))).toBe(false);
  });

  test('that several were answered keep their place; of the others the longest unused gives way', () => {
    const operations = createOperations([]);
    operations.advance(DAY);
    const real = operations.idOf('shop', 'GET /orders');
    operations.used(real, 1);
    operations.used(real, 2);
    for (let i = 0; i < MADE_UP; i++) operations.used(operations.idOf('shop', `GET /any${i}`), 99); // answered, to one alone
    expect(operations.idOf('shop', 'GET /orders')).toBe(real);
    expect(operations.knows(real, 1)).toBe(true);
    const later = operations.idOf('shop', 'GET /returns');
    expect(operations.knows(later, 99)).toBe(false); // nothing is left of whose place it took
    expect(operations.namesPath(later)).toBe(true);
    // an old deployment's gives way too
    operations.advance(DAY + 40 * 86_400_000);
    for (let i = 0; i < MADE_UP; i++) operations.idOf('shop', `GET /later${i}`);
    expect(operations.knows(operations.idOf('shop', 'GET /orders'), 1)).toBe(false);
  });

  test('are the same after a restart', () => {
    const before = createOperations(['/admin/*']);
    before.advance(DAY);
    for (let i = 0; i < 50; i++) before.used(before.idOf('a shop', `GET /admin/${i} of ${i % 3}`), i);
    const meta = before.parts.begin();
    const parts = [...before.parts.rest()];
    const after = createOperations(['/admin/*']);
    after.parts.restoreMeta(fromJsonBytes(jsonBytes(meta)));
    for (const { name, bytes } of parts) after.parts.restore(name, bytes!);
    for (let i = 0; i < MADE_UP; i++) {
      const operation = `GET /x${(i * 7919) % MADE_UP}`;
      const id = before.idOf('a shop', operation);
      expect(after.idOf('a shop', operation)).toBe(id);
      expect(after.isDeclared(id)).toBe(before.isDeclared(id));
    }
    const id = before.idOf('a shop', 'GET /admin/7 of 1');
    expect(after.idOf('a shop', 'GET /admin/7 of 1')).toBe(id);
    expect(after.knows(id, 7)).toBe(before.knows(id, 7));
  });

  test('an ordinary user at a declared route is told of, also after thousands of made-up paths', () => {
    const actors = createActors(
      { ...ACTORS_DEFAULTS, learnMs: 3_600_000, maxClients: 20_000, maxUsers: 5_000, privilegedRoutes: ['/admin/*'] },
      7,
    );
    const events = crowd(3, 8_000, DAY);
    let atMs = events.at(-1)!.atMs;
    for (let i = 0; i < MADE_UP; i++) {
      atMs += 100;
      const client = `198.51.${i % 200}.${i >> 8}`;
      events.push(eventOf({ client, operation: `GET /w${i}`, httpStatus: 404, outcome: 2, atMs }));
    }
    for (const event of events) actors.take(event, event.atMs);
    const event = eventOf({ client: '203.0.113.66', user: 'u7', operation: 'GET /admin/export', atMs: atMs + 1_000 });
    expect(actors.take(event, event.atMs).map(({ abuse }) => abuse)).toContain('privileged-route');
  });
});
