/**
 * Reports for the back office (HTTP), on a database of their own. `pace` spares that database: milliseconds it rests
 * before a report. The hole: nobody bounds it.
 */
import { openDatabase } from '../database.ts';
import type { StartService } from '../main.ts';
import { createRouter, HttpFailure, listen } from '../router.ts';
import { serverStopper } from '../server-stop.ts';

export const startService: StartService = async ({ others }) => {
  const database = others.then((ports) => openDatabase(ports, 'reports'));
  const server = createRouter([
    [
      'GET',
      '/sales',
      async ({ query }) => {
        const days = Number(query.get('days') ?? 7);
        const pace = Number(query.get('pace') ?? 0);
        if (!(days >= 1 && days <= 365) || !(pace >= 0)) throw new HttpFailure(400, 'no such range');
        const { rows } = await (await database).query(
          `select s.category, count(*)::int as orders, sum(s.cents)::int as cents
           from sales s, pg_sleep($2::float8 / 1000) where s.day > current_date - $1::int group by s.category order by s.category`,
          [days, pace],
        );
        return { status: 200, body: rows };
      },
    ],
    [
      'GET',
      '/sales/:category',
      async ({ params }) => {
        const { rows } = await (await database).query(
          'select day, sum(cents)::int as cents from sales where category = $1 and day > current_date - 30 group by day order by day',
          [params.category],
        );
        if (rows.length === 0) throw new HttpFailure(404, 'no such category');
        return { status: 200, body: rows };
      },
    ],
  ]);
  return { port: await listen(server), stop: serverStopper(server) };
};
