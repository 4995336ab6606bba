import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../../../datasets/judge/receiver.ts';

const SECRET = `whsec_${Buffer.from('a secret of the tests, 32 bytes!').toString('base64')}`;
const NOW = Date.now();
const BODY = JSON.stringify({
  type: 'incident.opened',
  timestamp: new Date(NOW).toISOString(),
  data: {
    incident: {
      id: '0123456789abcdef',
      class: 'security',
      kind: 'statement',
      service: 'catalog',
      start: new Date(NOW).toISOString(),
      end: new Date(NOW).toISOString(),
    },
    title: 'a title',
    why: 'similarity 0.5',
    client: { address: '81.2.69.1', user: null, others: [] },
    findings: [],
    traces: [],
  },
});

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver({ secret: SECRET, nowMs: () => NOW });
});
afterEach(() => receiver.stop());

function deliver(id: string, body: string, signed = body): Promise<Response> {
  const at = new Date(NOW);
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(NOW / 1000)),
    'webhook-signature': new Webhook(SECRET).sign(id, at, signed),
  };
  return fetch(receiver.url, { method: 'POST', body, headers });
}

it('keeps a signed alert with the time it came', async () => {
  expect((await deliver('msg_1', BODY)).status).toBe(204);
  expect(receiver.alerts).toMatchObject([{ id: 'msg_1', receivedMs: NOW, incident: { client: '81.2.69.1' } }]);
});

it('keeps an alert once however often it is delivered', async () => {
  await deliver('msg_1', BODY);
  expect((await deliver('msg_1', BODY)).status).toBe(204);
  expect(receiver.alerts).toHaveLength(1);
  expect(receiver.repeated).toBe(1);
});

it('refuses another body than the one that was signed', async () => {
  expect((await deliver('msg_1', BODY.replace('81.2.69.1', '9.9.9.9'), BODY)).status).toBe(401);
  expect(receiver.alerts).toEqual([]);
  expect(receiver.rejected).toHaveLength(1);
});

it('refuses a signed body that is no alert', async () => {
  expect((await deliver('msg_1', '{"hello":"world"}')).status).toBe(422);
  expect(receiver.alerts).toEqual([]);
});
