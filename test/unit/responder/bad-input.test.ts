/** Who wants the responder to be loud, deaf or large: storms, floods of novelties, clocks, texts. */
import { expect, it } from 'vitest';
import { keeperOf } from './keeping.ts';
import { DAY, findingOf, JUDGED, verdictOf } from './verdicts.ts';

const HOUR = 3_600_000;

it('nothing but new structures, an hour long: no alert of what is soft, one digest, bounded state', () => {
  const { keeper, feed, alerts } = keeperOf();
  for (let i = 0; i < 20_000; i++) {
    const appendMs = DAY + i * 180;
    keeper.tick(appendMs);
    const finding = findingOf({
      kind: 'whole-tree',
      hard: false,
      explanationKey: `GET /search · ${i} ${'x'.repeat(2_000)}`,
    });
    feed(verdictOf({ client: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, findings: [finding], p: 5e-4, appendMs }));
  }
  expect(alerts).toEqual([]);
  expect(keeper.open()).toEqual([]);
  expect(keeper.budget(DAY + HOUR).shift).toBe(0);
  expect(JSON.stringify(keeper.snapshot()).length).toBeLessThan(30e6);
});

it('the same from one client, improbable enough to be told: one incident, one alert', () => {
  const { feed, events, rows } = keeperOf();
  for (let i = 0; i < 2_000; i++)
    feed(
      verdictOf({ findings: [findingOf({ kind: 'whole-tree', hard: false, explanationKey: `k${i}` })], p: 1e-6 }),
      DAY + i,
    );
  expect(events()).toEqual(['opened']);
  expect([...rows.values()]).toMatchObject([{ traceCount: 2_000 }]);
});

it('a storm of certain findings from everywhere: so many alerts as people can read, each incident counted', () => {
  const { keeper, feed, alerts } = keeperOf({ maxOpen: 500, stormPerMinute: 30 });
  for (let i = 0; i < 6_000; i++) {
    const appendMs = DAY + i * 100;
    keeper.tick(appendMs);
    const finding = findingOf({ kind: 'egress', explanationKey: `GET /search · host ${i}` });
    feed(verdictOf({ client: `10.0.${i >> 8}.${i & 255}`, findings: [finding], appendMs }));
  }
  keeper.tick(DAY + HOUR);
  const opened = alerts.filter(({ event }) => event === 'opened').length;
  const storms = alerts.filter(({ event }) => event === 'storm');
  expect(opened).toBe(30);
  expect(storms.length).toBeLessThanOrEqual(14);
  expect(storms.reduce((sum, { sequence }) => sum + Number(sequence.split(':')[1]), opened)).toBe(6_000);
  expect(new Set(alerts.map(({ event, id, sequence }) => `${event} ${id} ${sequence}`)).size).toBe(alerts.length);
  expect(keeper.open().length).toBeLessThanOrEqual(500);
});

it('time running backwards moves nothing back', () => {
  const { keeper, feed, events, only } = keeperOf();
  feed(verdictOf({}), DAY + HOUR);
  keeper.tick(DAY + HOUR);
  keeper.tick(DAY - HOUR);
  feed(verdictOf({}), DAY - HOUR);
  keeper.tick(DAY + HOUR + HOUR / 2);
  expect(only()).toMatchObject({ state: 'open', traceCount: 2 });
  expect(keeper.judged(JUDGED)).toBe(true);
  expect(keeper.judged({ ...JUDGED, window: JUDGED.window - 100 })).toBe(false);
  expect(events()).toEqual(['opened']);
});

it('what an operational incident holds does not swallow what is improbable enough to be told for security', () => {
  const { feed, alerts } = keeperOf();
  const errors = findingOf({ kind: 'status', hard: false, explanationKey: 'GET /search · 500' });
  const tree = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'GET /search · catalog' });
  feed(verdictOf({ findings: [errors], p: 1e-6 }));
  feed(verdictOf({ findings: [tree], p: 8e-4 })); // joins without a word
  feed(verdictOf({ findings: [tree], p: 1e-6 }));
  feed(verdictOf({ findings: [tree], p: 1e-6 }));
  feed(verdictOf({ findings: [findingOf()] }));
  expect(alerts.map(({ event, incident }) => [event, incident.class, incident.kind])).toEqual([
    ['opened', 'operational', 'status'],
    ['opened', 'security', 'whole-tree'],
    ['updated', 'security', 'statement'],
  ]);
  expect(new Set(alerts.map(({ event, id, sequence }) => `${event} ${id} ${sequence}`)).size).toBe(3);
});

it('what joins an incident leaves the digest, what is withdrawn too', () => {
  const { keeper, feed } = keeperOf();
  const soft = findingOf({ kind: 'whole-tree', hard: false, explanationKey: 'odd' });
  const one = verdictOf({ client: '198.51.100.1', findings: [soft], p: 8e-4 });
  const two = verdictOf({ client: '198.51.100.2', findings: [soft], p: 8e-4 });
  feed(one);
  feed(two);
  expect(keeper.changes().digest).toMatchObject([{ count: 2, clients: ['198.51.100.1', '198.51.100.2'] }]);
  feed({ ...one, revision: one.revision + 2, findings: [soft, findingOf()] });
  expect(keeper.changes().digest).toMatchObject([{ count: 1 }]);
  feed({ ...two, revision: two.revision + 4, stage: 3, state: 'withdrawn', findings: [] });
  expect(keeper.changes().digest).toMatchObject([{ count: 0 }]);
});
