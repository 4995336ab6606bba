/** A service's connection to its database. */
import type { Pool } from 'pg';
import type { Ports } from './attached.ts';
import { pg } from './instrumented.ts';

export function openDatabase(ports: Ports, name: 'shop' | 'reports'): Pool {
  const pool = new pg.Pool({
    host: '127.0.0.1',
    port: ports[`database.${name}`],
    database: name,
    user: 'shop',
    max: 3,
    idleTimeoutMillis: 0,
  });
  pool.on('error', () => undefined); // the next query opens another connection
  return pool;
}
