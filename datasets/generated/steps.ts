/** Short ways to write a programme's steps. */
import type { Random } from '../load/random.ts';
import type {
  Call,
  Choice,
  Command,
  Fetch,
  Internal,
  Occasion,
  Publish,
  Query,
  Refuse,
  Step,
  Together,
} from './system.ts';

type More<T> = Partial<Omit<T, 'does'>>;

export const rpc = (operation: string, ms: number, steps: readonly Step[] = [], more: More<Call> = {}): Call => ({
  does: 'call',
  protocol: 'grpc',
  service: operation.split('.')[0]!,
  operation,
  ms,
  steps,
  fails: 0.0008,
  ...more,
});

export const http = (
  service: string,
  operation: string,
  ms: number,
  steps: readonly Step[] = [],
  more: More<Call> = {},
): Call => ({ does: 'call', protocol: 'http', service, operation, ms, steps, fails: 0.0008, ...more });

export const query = (
  verb: Query['verb'],
  table: string,
  statement: Query['statement'],
  ms: number,
  more: More<Query> = {},
): Query => ({ does: 'query', system: 'postgresql', verb, table, statement, ms, ...more });

export const command = (verb: string, ms: number, more: Occasion = {}): Command => ({
  does: 'command',
  verb,
  ms,
  ...more,
});

export const fetch = (
  method: Fetch['method'],
  host: string,
  path: string,
  ms: number,
  more: More<Fetch> = {},
): Fetch => ({
  does: 'fetch',
  method,
  host,
  path,
  ms,
  fails: 0.002,
  ...more,
});

export const publish = (
  topic: string,
  service: string,
  ms: number,
  steps: readonly Step[],
  more: More<Publish> = {},
): Publish => ({ does: 'publish', topic, service, lagMs: 40, ms, steps, ...more });

export const internal = (name: string, ms: number, steps: readonly Step[] = [], more: Occasion = {}): Internal => ({
  does: 'internal',
  name,
  ms,
  steps,
  ...more,
});

export const together = (...steps: readonly Step[]): Together => ({ does: 'together', steps });
export const choice = (...ways: Choice['ways']): Choice => ({ does: 'choice', ways });
export const refuse = (status: number, share: number, more: Occasion = {}): Refuse => ({
  does: 'refuse',
  status,
  share,
  ...more,
});

/** `least` … `most`, small numbers more often. */
export const few =
  (least: number, most: number) =>
  (random: Random): number =>
    least + random.zipf(most - least + 1);
/** `least` … `most`, all alike. */
export const any =
  (least: number, most: number) =>
  (random: Random): number =>
    random.between(least, most);
