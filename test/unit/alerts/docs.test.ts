/** docs/alerts.md describes the alert body that schemas/alerts/alert.schema.json declares: every field, and a valid example. */
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { createAlert } from '../../../responder/alerts/body.ts';
import { createDigestAlert } from '../../../responder/alerts/digest-body.ts';
import { signedHeaders } from '../../../responder/alerts/signature.ts';
import type { BudgetState } from '../../../schemas/alerts/budget.ts';
import type { Alert } from '../../../schemas/alerts/incident.ts';
import { DAY } from '../responder/verdicts.ts';
import { CONTEXT, incidentOf } from './incidents.ts';
import { closedSchema, compile, errorsOf } from './schema.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const schema = JSON.parse(read('schemas/alerts/alert.schema.json')) as Schema;
const page = read('docs/alerts.md');

function fieldsOf({ properties = {}, items }: Schema): string[] {
  const own = Object.entries(properties).flatMap(([name, inner]) => [name, ...fieldsOf(inner)]);
  return items === undefined ? own : [...own, ...fieldsOf(items)];
}

test.each([...new Set(fieldsOf(schema))])('names %s', (field) => {
  expect(page).toMatch(new RegExp(`["\`.]${field}["\`]`));
});

const kinds = /type FindingKind =([^;]+);/.exec(read('schemas/log/verdict.ts'))?.[1] ?? '';
test.each([...kinds.matchAll(/'([a-z-]+)'/g)].map(([, kind]) => kind!))('names the kind %s', (kind) => {
  expect(/\| `data\.incident\.kind` \|.*/.exec(page)?.[0]).toContain(`\`${kind}\``);
});

test('its example is an alert', () => {
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  expect(errorsOf(compile(closedSchema), JSON.parse(example))).toBe('');
});

/** The receiver of the page, run as it stands there but for its imports and its socket; gives the status that it answers. */
function receiver(secret: string, said: unknown[][]) {
  const code = /```js\n([\s\S]*?createServer[\s\S]*?)```/.exec(page.slice(page.indexOf('## Verify it')))?.[1] ?? '';
  type Handler = (request: object, response: object) => void;
  let handler: Handler | undefined;
  const createServer = (given: Handler) => {
    handler = given;
    return { listen: () => {} };
  };
  const run = new Function('createServer', 'Webhook', 'process', 'console', code.replaceAll(/^import .*$/gm, ''));
  run(createServer, Webhook, { env: { WEBHOOK_SECRET: secret } }, { log: (...words: unknown[]) => said.push(words) });
  return (headers: object, body: string): number => {
    let status = 0;
    const response = {
      writeHead(given: number) {
        status = given;
        return { end: () => {} };
      },
    };
    const request = {
      headers,
      on(event: string, call: (chunk?: Buffer) => void) {
        call(event === 'data' ? Buffer.from(body) : undefined);
        return request;
      },
    };
    handler?.(request, response);
    return status;
  };
}

test('its receiver takes whatever is sent, a digest too, and refuses what is not signed', () => {
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const said: unknown[][] = [];
  const answer = receiver(secret, said);
  const budget = { targetPerDay: 5, expectedLastDay: 1, threshold: 1e-5, drift: 1 } as BudgetState;
  const alerts: readonly Alert[] = [
    ...(['opened', 'updated', 'closed', 'storm'] as const).map((event) =>
      createAlert(event, incidentOf(), '1', event === 'storm' ? [incidentOf()] : [], DAY, CONTEXT),
    ),
    createDigestAlert({ day: '2026-01-05', entries: [], leftOut: 0 }, budget, DAY, CONTEXT),
  ];
  for (const { id, body } of alerts) expect(answer(signedHeaders([secret], id, body, Date.now()), body)).toBe(204);
  expect(said).toHaveLength(alerts.length);
  const [{ id, body } = alerts[0]!] = alerts;
  expect(answer({ ...signedHeaders([secret], id, body, Date.now()) }, body)).toBe(204);
  expect(said).toHaveLength(alerts.length); // the same id once more
  expect(answer(signedHeaders([secret], id, body, Date.now()), `${body} `)).toBe(401);
});
