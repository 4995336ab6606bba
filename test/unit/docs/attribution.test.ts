/** docs/attribution.md: its configurations do what it says, its reasons are all there are, its settings exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema } from '../../../schemas/config/index.ts';
import { type ClientEvidence, createAttribution } from '../../../traces/attribution/client.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(join(root, 'docs/attribution.md'), 'utf8');
const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => configSchema.parse(parse(yaml!)));

const named = (example: number, evidence: Partial<ClientEvidence>): string => {
  const { address, confidence, reason } = createAttribution(examples[example]!.attribution).resolve({
    service: 'gateway',
    peer: '',
    forwardedFor: [],
    forwarded: [],
    clientAddress: '',
    singleValues: [],
    ...evidence,
  });
  return `${address} ${confidence}${reason === '' ? '' : ` ${reason}`}`;
};

describe('the examples', () => {
  it('are four', () => expect(examples).toHaveLength(4));

  it('one load balancer', () => {
    expect(named(0, { peer: '10.0.1.7', forwardedFor: ['192.0.2.1, 203.0.113.9'] })).toBe('203.0.113.9 high');
    expect(named(0, { peer: '203.0.113.9', forwardedFor: ['192.0.2.1'] })).toBe('203.0.113.9 high');
  });

  it('a CDN and a balancer, and a client that goes around the CDN', () => {
    const around: [string, string][] = [['cf-connecting-ip', '192.0.2.1']];
    const cdn: [string, string][] = [['cf-connecting-ip', '203.0.113.9']];
    const through = { peer: '10.0.1.7', forwardedFor: ['192.0.2.1, 203.0.113.9, 198.41.200.1'] };
    expect(named(1, through)).toBe('203.0.113.9 high');
    expect(named(1, { ...through, singleValues: cdn })).toBe('203.0.113.9 high');
    expect(named(1, { peer: '10.0.1.7', forwardedFor: ['203.0.113.9'], singleValues: around })).toBe(
      '203.0.113.9 high',
    );
  });

  it('a count', () => {
    expect(named(2, { peer: '172.17.3.4', forwardedFor: ['192.0.2.1, 203.0.113.9'] })).toBe('203.0.113.9 high');
  });

  it('several entry services', () => {
    const forged = { forwardedFor: ['192.0.2.1, 203.0.113.9'] };
    expect(named(3, { ...forged, peer: '10.0.1.7' })).toBe('203.0.113.9 high');
    expect(named(3, { ...forged, peer: '198.51.100.4', service: 'partner-api' })).toBe('198.51.100.4 high');
    expect(named(3, { ...forged, service: 'grpc-edge' })).toBe('203.0.113.9 medium no-peer');
    expect(named(3, forged)).toBe('203.0.113.9 low no-peer');
    const socket = { peer: '/run/app.sock', service: 'sidecar-app' };
    expect(named(3, { ...forged, ...socket, forwarded: ['for=203.0.113.10'] })).toBe('203.0.113.10 high');
  });
});

test('the reasons are all that code gives', () => {
  const sources = ['traces/attribution', 'traces/reading', 'detector/core', 'responder/incidents', 'responder/actors']
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const written = /(?:reason: |MISCONFIGURED = |const reason =[^\n?]*\? )'([a-z-]+)'(?: : '([a-z-]+)')?/g;
  const given = new Set([...sources.matchAll(written)].flatMap(([, ...reasons]) => reasons.filter(Boolean)));
  for (const reason of ['malformed', 'obfuscated', 'no-header-capture', 'only-trusted-hops']) given.add(reason);
  expect(given.size).toBeGreaterThan(12);
  const table = text.slice(text.indexOf('## Reasons'));
  for (const reason of given) expect(table).toContain(`\`${reason}\``);
});

test('its settings exist', () => {
  const settings = configSchema.parse({});
  const paths = [...text.matchAll(/`(attribution|clickhouse)\.([a-zA-Z]+)/g)];
  expect(paths.length).toBeGreaterThan(3);
  for (const [, section, key] of paths) expect(Object.keys(settings[section as 'attribution'])).toContain(key);
});
