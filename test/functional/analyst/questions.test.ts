/** docs/analysts.md: every query runs as the reader, on data full of replays, and answers what the document says and what happened. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noClickHouse } from '../clickhouse/server.ts';
import { ask, askRows, type ShopDatabases, startShopDatabases } from './databases.ts';
import { countSqlBlocks, readQuestions, tableOf, writeAnswers } from './questions.ts';
import {
  ALERTS,
  attack,
  CLIENTS,
  DELIVERIES,
  DEPLOYED,
  flatten,
  INCIDENTS,
  invoices,
  NOVELTIES,
  type Node,
  RATE_HOURS,
  REQUESTS,
  type Request,
  TODAY,
  YESTERDAY,
} from './shop-days.ts';

type Row = Readonly<Record<string, unknown>>;

const HOUR = 3_600_000;
const attackers = CLIENTS.attacker;
const segmentsOf = (traces: readonly Request[]): Request[] => {
  const ids = new Set(traces.map(({ traceId }) => traceId));
  return REQUESTS.filter(({ traceId }) => ids.has(traceId));
};
const odd = REQUESTS.filter(({ facts }) => facts.anomalous);
const text = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
const round = (value: number): number => Math.round(value * 10) / 10;
const numbers = (rows: readonly Row[], ...names: string[]): unknown[][] =>
  rows.map((row) =>
    names.map((name) => {
      const value = row[name];
      return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    }),
  );

function countBy<T>(things: readonly T[], key: (thing: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const thing of things) counts[key(thing)] = (counts[key(thing)] ?? 0) + 1;
  return counts;
}

interface Call {
  readonly caller: Node | undefined;
  readonly called: Node;
  readonly atMs: number;
}
const callsOf = ({ tree, startMs }: Request): Call[] => {
  const below = (called: Node, caller: Node | undefined): Call[] => [
    { caller, called, atMs: startMs + called.at },
    ...(called.calls ?? []).flatMap((next) => below(next, called)),
  ];
  return below(tree, undefined);
};
const calls = REQUESTS.flatMap(callsOf);

/** What happened, told from the list of requests alone. */
const truths: Readonly<Record<string, (rows: readonly Row[]) => void>> = {
  '1. Who did it?': (rows) => {
    expect(rows.map((row) => [row.client_address, row.client_source, row.start])).toEqual([
      [attackers, 'x-forwarded-for', text(attack.startMs)],
      [attackers, 'origin', text(attack.startMs + 400)],
    ]);
  },
  '2. What else did this client do?': (rows) => {
    const theirs = REQUESTS.filter(({ facts }) => facts.client?.address === attackers);
    expect(Object.fromEntries(numbers(rows, 'operation', 'requests'))).toEqual(
      countBy(theirs, ({ tree }) => tree.operation),
    );
    expect(
      numbers(rows, 'anomalous')
        .flat()
        .reduce<number>((sum, n) => sum + Number(n), 0),
    ).toBe(theirs.filter(({ facts }) => facts.anomalous).length);
  },
  '3. Which services and tables did it reach?': (rows) => {
    const reached = segmentsOf([...invoices, attack]).flatMap(({ tree }) => flatten(tree));
    expect(
      Object.fromEntries(rows.map((row) => [`${row.service} ${row.verb} ${row.table}`, Number(row.spans)])),
    ).toEqual(
      countBy(
        reached,
        ({ service, attributes }) =>
          `${service} ${attributes?.['db.operation.name'] ?? ''} ${attributes?.['db.collection.name'] ?? ''}`,
      ),
    );
  },
  '4. What changed after a deploy?': (rows) => {
    const byOrders = calls.filter(({ caller, atMs }) => caller?.service === 'orders' && atMs >= TODAY);
    const rate = (of: Call[], hours: number) => round(of.length / hours);
    const grouped = Map.groupBy(byOrders, ({ called }) => `${called.service} ${called.operation}`);
    expect(
      Object.fromEntries(rows.map((r) => [`${r.service} ${r.operation}`, [r.before_an_hour, r.after_an_hour]])),
    ).toEqual(
      Object.fromEntries(
        [...grouped].map(([call, all]) => [
          call,
          [
            rate(
              all.filter((c) => c.atMs < DEPLOYED),
              2,
            ),
            rate(
              all.filter((c) => c.atMs >= DEPLOYED),
              3,
            ),
          ],
        ]),
      ),
    );
  },
  '5. Which new calls are slow?': (rows) => {
    expect(numbers(rows, 'service', 'operation', 'calls', 'median_ms')).toEqual([
      ['orders', 'GET /orders/:id', 3, 888],
      ['customers', 'GET /customers/:id', 7, 218],
    ]);
  },
  '6. Which calls were never seen before?': (rows) => {
    const name = ({ caller, called }: Call) => `${caller?.service ?? ''} > ${called.service} ${called.operation}`;
    const known = new Set(calls.filter(({ atMs }) => atMs < TODAY).map(name));
    expect(Object.fromEntries(rows.map((r) => [`${r.caller} > ${r.service} ${r.operation}`, Number(r.calls)]))).toEqual(
      countBy(
        calls.filter((call) => !known.has(name(call))),
        name,
      ),
    );
    const charges = rows.find((row) => row.operation === 'SELECT charges');
    expect(charges?.incidents).toEqual([INCIDENTS.invoices.title]);
  },
  '7. Which operations are noisy?': (rows) => {
    expect(Object.fromEntries(numbers(rows, 'operation', 'not_fitting'))).toEqual(
      countBy(odd, ({ tree }) => tree.operation),
    );
  },
  '8. What would sampling have cost?': (rows) => {
    const traces = [...new Set(odd.map(({ traceId }) => traceId))];
    const told = [INCIDENTS.unpaid, INCIDENTS.search, INCIDENTS.edge];
    const expected = [100, 50, 10, 1].map((percent) => {
      const keeps = (id: string): boolean => Number(BigInt(`0x${id.slice(18)}`)) / 2 ** 56 >= 1 - percent / 100;
      return [percent, traces.filter(keeps).length, told.filter(({ traceIds }) => traceIds.some(keeps)).length];
    });
    expect(numbers(rows, 'sampled_percent', 'anomalous_traces_left', 'incidents_left')).toEqual(expected);
    expect(rows.every((row) => Number(row.of_traces) === traces.length && Number(row.of_incidents) === 3)).toBe(true);
  },
  '9. Which alerts did nobody get?': (rows) => {
    const missed = DELIVERIES.filter(({ state }) => state !== 'delivered').map((d) => `${d.destination} ${d.state}`);
    expect(rows.map((row) => `${row.destination} ${row.state}`).sort()).toEqual([...missed, '– none'].sort());
    expect(ALERTS.edge.incidentId).toBe(INCIDENTS.edge.id);
  },
  '10. How much of the traffic is covered?': (rows) => {
    const share = (of: readonly Request[], is: (request: Request) => boolean): number =>
      round((100 * of.filter(is).length) / of.length);
    const expected = [YESTERDAY, TODAY].flatMap((day) => {
      const that = REQUESTS.filter(({ startMs }) => startMs >= day && startMs < day + 24 * HOUR);
      return [...Map.groupBy(that, ({ tree }) => tree.operation)].map(([operation, of]) => [
        `${text(day).slice(0, 10)} ${operation}`,
        [
          share(of, ({ facts }) => facts.state === 'learning'),
          share(of, ({ facts }) => facts.client?.address === null),
          share(of, ({ facts }) => facts.client?.confidence === 'low'),
        ],
      ]);
    });
    expect(
      Object.fromEntries(
        rows.map((r) => [
          `${r.day} ${r.operation}`,
          [r.learning_percent, r.unknown_client_percent, r.uncertain_client_percent],
        ]),
      ),
    ).toEqual(Object.fromEntries(expected));
  },
  '11. Does p keep its promise?': (rows) => {
    expect(numbers(rows, 'nominal', 'requests', 'ratio')).toEqual(
      [0.01, 0.001, 0.0001].map((nominal, i) => {
        const today = RATE_HOURS.filter(({ hourMs }) => hourMs >= TODAY);
        const requests = today.reduce((sum, { segments }) => sum + segments, 0);
        const soft = today.reduce((sum, { below, hard }) => sum + below[i]! - hard[i]!, 0);
        return [nominal, requests, Math.round((100 * soft) / requests / nominal) / 100];
      }),
    );
  },
  '12. What was odd and told nobody?': (rows) => {
    const ranked = [...NOVELTIES].sort((a, b) => a.p - b.p);
    expect(rows.map((row) => row.novelty)).toEqual(ranked.map(({ explanationKey }) => explanationKey));
  },
};

describe.skipIf(noClickHouse)('the questions of an analyst', () => {
  let shop: ShopDatabases;
  beforeAll(async () => {
    shop = await startShopDatabases();
    // After a change: WRITE_ANSWERS=1 npx vitest run test/functional/analyst/questions, then read what it wrote.
    if (process.env.WRITE_ANSWERS === '1') {
      const answers: string[] = [];
      for (const { sql, parameters } of readQuestions())
        answers.push(await ask(shop.clean, sql, parameters, 'Markdown'));
      writeAnswers(answers);
    }
  });
  afterAll(() => shop?.stop());

  const questions = readQuestions();
  test('no query of the page is left out', () => {
    expect(questions).toHaveLength(countSqlBlocks());
    const headings = questions.map(({ heading }) => heading).filter((heading) => /^\d/.test(heading));
    expect(headings).toEqual(Object.keys(truths));
  });

  test.each(questions)('$heading', async ({ heading, sql, parameters, answer }) => {
    expect(tableOf(await ask(shop.clean, sql, parameters, 'Markdown'))).toEqual(answer);
    expect(tableOf(await ask(shop.replayed, sql, parameters, 'Markdown')), 'with everything replayed').toEqual(answer);
    truths[heading]?.(await askRows<Row>(shop.replayed, sql, parameters));
  });
});
