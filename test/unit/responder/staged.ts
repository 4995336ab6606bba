/** One client, further and further: findings of different kinds in different services over minutes. */
import type { Finding, VerdictStory } from '../../../schemas/log/verdict.ts';
import type { keeperOf } from './keeping.ts';
import { DAY, findingOf, verdictOf } from './verdicts.ts';

const MINUTE = 60_000;

/** A finding at a minute, as a service shows it. */
export const findingAt = (minute: number, fields: Partial<Finding>): Finding =>
  findingOf({ ...fields, startMs: DAY + minute * MINUTE, endMs: DAY + minute * MINUTE + 20 });

const scan = findingAt(0, {
  kind: 'unseen-operation',
  hard: false,
  explanationKey: 'gateway GET /.env',
  service: 'gateway',
  operation: 'GET /.env',
});
const probe = findingAt(2, {
  kind: 'attack-pattern',
  explanationKey: 'GET /search · q · SQL injection',
  service: 'gateway',
});
const exploit = findingAt(3, { kind: 'statement', service: 'catalog' });
const lateral = findingAt(5, {
  kind: 'egress',
  explanationKey: 'POST /fetch · link-local address',
  service: 'worker',
  operation: 'POST /fetch',
});
const exfiltration = findingAt(8, {
  kind: 'egress',
  explanationKey: 'GET /reports · public',
  service: 'reports',
  operation: 'GET /reports',
});

export const STAGED = {
  client: '203.0.113.66',
  /** The first opens nothing. */
  findings: [scan, probe, exploit, lateral, exfiltration],
  stages: ['reconnaissance', 'probing', 'exploitation', 'lateral-movement', 'exfiltration'],
} as const;

export const storyOf = (fields: Partial<VerdictStory> = {}): VerdictStory => ({
  expected: [
    { depth: 0, call: 'gateway server GET /search', count: 1, mark: '' },
    { depth: 1, call: 'catalog server GET /search', count: 1, mark: '' },
    { depth: 2, call: 'catalog client SELECT products', count: 1, mark: 'missing' },
  ],
  seen: [
    { depth: 0, call: 'gateway server GET /search', count: 1, mark: '' },
    { depth: 1, call: 'catalog server GET /search', count: 1, mark: '' },
    { depth: 2, call: 'catalog client SELECT customers', count: 40, mark: 'extra' },
  ],
  reached: ['gateway', 'catalog', 'postgresql'],
  tables: ['customers'],
  fields: ['email', 'password_hash'],
  ...fields,
});

export function playStages(running: ReturnType<typeof keeperOf>): ReturnType<typeof keeperOf> {
  for (const [i, finding] of STAGED.findings.entries()) {
    const p = finding === scan ? 8e-4 : 1e-4;
    const appendMs = finding.startMs + 100 + i;
    const told = { ...verdictOf({ client: STAGED.client, findings: [finding], p, appendMs }), story: storyOf() };
    running.feed(finding === scan ? { ...told, operation: scan.operation } : told);
  }
  return running;
}
