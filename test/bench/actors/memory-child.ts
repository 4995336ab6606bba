/**
 * Memory of a million quiet clients, and of full actors: in a process of its own with --expose-gc. Prints one JSON line. `quiet`: each
 * from its own address, one plain request. `full N`: N actors with everything an actor can have.
 */
import { ACTORS_DEFAULTS, createActors } from '../../../responder/actors/actors.ts';
import { address2, newEvent, START_MS } from './people.ts';

const what = process.argv[2]!;
const count = Number(process.argv[3]);
const collect = (globalThis as { gc?: () => void }).gc!;
/** What is really held: heap and typed arrays. Twice, so that what was freed is gone. */
const used = (): number => {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const config = { ...ACTORS_DEFAULTS, learnMs: 0, maxFull: what === 'full' ? 2 * count : 20_000 };
const event = newEvent();
event.operation = 'GET /';
const address = (n: number): string => `${11 + (n >>> 16)}.${(n >>> 8) & 255}.${n & 255}.7`;

if (what === 'quiet') {
  // what does not grow with clients is paid before: tables of fixed size are part of the figure all the same
  const before = used();
  const residentBefore = process.memoryUsage().rss;
  const actors = createActors(config, 5);
  const fixed = used() - before;
  for (let n = 0; n < count; n++) {
    address2(event, address(n), null, START_MS + n * 10);
    actors.take(event, event.atMs);
  }
  const bytes = used() - before;
  const { clients } = actors.status();
  const resident = process.memoryUsage().rss - residentBefore;
  process.stdout.write(`${JSON.stringify({ clients, bytes, fixed, resident })}\n`);
} else {
  const actors = createActors(config, 5);
  address2(event, '1.2.3.4', null, START_MS);
  actors.take(event, event.atMs);
  const before = used();
  const long = 'x'.repeat(300);
  for (let n = 0; n < count; n++) {
    for (let m = 0; m < 40; m++) {
      address2(event, address(n), null, START_MS + n * 50 + m);
      event.part = 'findings';
      event.anomalous = true;
      event.p = 1e-6;
      event.findings = [
        {
          kind: 'attack-pattern',
          explanationKey: `${long} ${m} · SQL injection`,
          hard: true,
          service: long,
          operation: long,
          severity: 1,
          startMs: event.atMs,
        },
        {
          kind: 'egress',
          explanationKey: `${m} · link-local:80`,
          hard: true,
          service: 's',
          operation: 'o',
          severity: 1,
          startMs: event.atMs,
        },
      ];
      event.client = { ...event.client, user: `${n} ${long}`, hops: Array.from({ length: 30 }, () => '2001:db8::1') };
      actors.take(event, event.atMs);
    }
  }
  const { full, users } = actors.status();
  process.stdout.write(`${JSON.stringify({ full, users, bytes: used() - before })}\n`);
}
