/** A service's connection to its database. */
import type { QueryResult, QueryResultRow } from 'pg';
import type { Ports } from '../../runtime/lifecycle/attached.ts';
import { pg } from './instrumented.ts';

export interface Database {
  query<R extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<R>>;
}

export function openDatabase(ports: Ports, name: 'shop' | 'reports'): Database {
  const pool = new pg.Pool({
    host: '127.0.0.1',
    port: ports[`database.${name}`],
    database: name,
    user: 'shop',
    max: 6,
    idleTimeoutMillis: 0,
  });
  // A lost connection fails its query; the next one opens another. Without listeners it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return {
    // Not pool.query(): its callback runs in the context of whoever gives a connection back, so that a query that had to
    // wait got another request's span as parent (instrumentation-pg 0.77 with ignoreConnectSpans).
    async query(text, values) {
      const client = await pool.connect();
      try {
        return await client.query(text, values === undefined ? undefined : [...values]);
      } finally {
        client.release();
      }
    },
  };
}
