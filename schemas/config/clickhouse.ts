/** Configuration of ClickHouse (ARCHITECTURE decisions 2 and 8): which server, how rows are written, how long they are kept. */
import { z } from 'zod';

const int = (text: string, byDefault: number, min: number, max: number, unit: string) =>
  z.number().int().min(min).max(max).default(byDefault).describe(text).meta({ unit });

/** ClickHouse computes expiry in a DateTime, which ends in 2106: rows that are to live longer would be gone at once. */
const MOST_DAYS = 18_250;

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const port = (text: string) => int(`${text}; 0 = any free port`, 0, 0, 65_535, 'port');

export const clickhouseSection = z
  .strictObject({
    url: z
      .string()
      .default('')
      .describe(
        'Server or cluster, `http://user:password@host:8123`; empty: a real ClickHouse is started on this machine, on loopback',
      )
      .meta({ secret: true }),
    user: z.string().default('').describe('User at `url`; empty: the one in the URL, else `default`'),
    password: z.string().default('').describe('Password at `url`').meta({ secret: true }),
    database: z
      .string()
      .regex(identifier, 'letters, digits and _ only')
      .default('spanwarden')
      .describe('Database of all tables; created when missing'),
    requestTimeoutMs: int('An answer that takes longer counts as unavailable', 60_000, 1_000, 3_600_000, 'ms'),
    maxInsertRows: int('Most span rows in one insert', 100_000, 100, 1_000_000, 'rows'),
    maxInsertBytes: int('Most bytes in one insert', 67_108_864, 65_536, 1_073_741_824, 'bytes'),
    spansTtlDays: int('Spans are kept so long', 14, 1, MOST_DAYS, 'days'),
    verdictsTtlDays: int('Verdicts are kept so long', 90, 1, MOST_DAYS, 'days'),
    incidentsTtlDays: int('Incidents, alerts and deliveries are kept so long', 400, 1, MOST_DAYS, 'days'),
    baselinesTtlDays: int('Rows of baseline versions are kept so long', 30, 2, MOST_DAYS, 'days'),
    keep: z
      .enum(['all', 'anomalous'])
      .default('all')
      .describe('Which spans are stored: `all`, or those of anomalous segments and a sample of normal ones'),
    keepSample: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe('With `keep: anomalous`: share of normal traces whose spans are stored')
      .meta({ unit: 'share' }),
    embedded: z
      .strictObject({
        directory: z
          .string()
          .min(1)
          .default('spanwarden-data/clickhouse')
          .describe('Data of the ClickHouse started here'),
        httpPort: port('HTTP port on 127.0.0.1, for `curl` and Grafana'),
        tcpPort: port('Native port on 127.0.0.1, for `clickhouse-client`'),
        readerPassword: z
          .string()
          .default('')
          .describe('Password of the read-only user `reader`; empty: none is asked for, on loopback only')
          .meta({ secret: true }),
        maxMemoryBytes: int('Most memory the server may use', 2_000_000_000, 500_000_000, 1e12, 'bytes'),
        fsync: z
          .boolean()
          .default(true)
          .describe('Acknowledge an insert only when it is on disk, so that it survives a power cut'),
      })
      .prefault({}),
  })
  .prefault({});

export type ClickHouseConfig = z.infer<typeof clickhouseSection>;
