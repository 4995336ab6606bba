/** Configuration of response: what a misspelt line would do is not found out in production. */
import { describe, expect, it } from 'vitest';
import { unsaidLines } from '../../../cli/status.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { responseSection } from '../../../schemas/config/response.ts';
import { createAttribution } from '../../../traces/attribution/client.ts';

const issues = (settings: object): string[] => {
  const parsed = responseSection.safeParse(settings);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('response', () => {
  it('is off, on loopback, and open to nobody', () => {
    expect(responseSection.parse({})).toMatchObject({
      mode: 'off',
      host: '127.0.0.1',
      port: 9_466,
      keys: [],
      allowPrivate: false,
    });
  });

  it.each(['203.0.113.0/24', '203.0.113.7', '2001:db8::/32', '::1', '::ffff:10.0.0.0/104'])(
    'takes the range %s',
    (range) => {
      expect(issues({ allow: [range], ownInfrastructure: [range] })).toEqual([]);
    },
  );
  it.each(['203.0.113', '203.0.113.0/33', '203.0.113.7/', '0177.0.0.1', 'office', '', '::ffff:10.0.0.0/8', '1.2.3.4 '])(
    'refuses the range %j, which would protect nobody',
    (range) => {
      expect(issues({ allow: [range] })).toHaveLength(1);
      expect(issues({ ownInfrastructure: [range] })).toHaveLength(1);
    },
  );

  it.each([
    [{ name: 'x', target: 'operations' }, 'operations'],
    [{ name: 'x', target: 'everything', operations: ['GET /a'] }, 'operations'],
    [{ name: 'x', target: 'operations', operations: ['/checkout'] }, 'operations.0'],
    [{ name: 'x', target: 'operations', operations: ['post /checkout'] }, 'operations.0'],
    [{ name: 'x', target: 'operations', operations: ['GET /a?b=c'] }, 'operations.0'],
    [{ name: 'x', minConfidence: 'low' }, 'minConfidence'],
    [{ name: 'x', durationMs: 0 }, 'durationMs'],
    [{ name: 'x', minStage: 'exploit' }, 'minStage'],
    [{ name: 'x', kind: 'actor' }, ''],
  ])('refuses the rule %j', (rule, path) => {
    expect(issues({ rules: [rule] })[0]).toMatch(new RegExp(`^rules\\.0${path === '' ? '' : `\\.${path}`}`));
  });

  it('refuses short keys, and ones that no header can hold', () => {
    for (const key of ['short', 'x'.repeat(15), `${'x'.repeat(20)}\n`, 'ü'.repeat(20)])
      expect(issues({ keys: [{ name: 'a', key }] })).toHaveLength(1);
  });
});

describe('response that enforces behind proxies', () => {
  const paths = (attribution: object, mode = 'enforce'): string[] => {
    const parsed = configSchema.safeParse({ attribution, response: { mode } });
    return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
  };
  const PROXIES = { trustedProxies: ['10.0.0.0/8'] };

  it.each([
    [PROXIES, ['attribution.forwarding']],
    [{ trustedHops: 1 }, ['attribution.forwarding']],
    [{ ...PROXIES, services: { edge: { trustedHops: 2 } } }, ['attribution.forwarding']],
    [{ services: { edge: PROXIES, direct: {} } }, ['attribution.services.edge.forwarding']],
    [
      { ...PROXIES, forwarding: 'forwarded', services: { edge: { forwarding: 'auto' } } },
      ['attribution.services.edge.forwarding'],
    ],
    [{ services: { edge: { trustedProxies: ['unix:'] } } }, ['attribution.services.edge.forwarding']],
  ])('is refused with %j: one more header would be enough to go free', (attribution, expected) => {
    expect(paths(attribution)).toEqual(expected);
    expect(paths(attribution, 'simulate')).toEqual([]);
    expect(paths(attribution, 'off')).toEqual([]);
  });

  it.each([
    {},
    { ...PROXIES, forwarding: 'x-forwarded-for' },
    { ...PROXIES, forwarding: 'forwarded', services: { edge: { trustedHops: 3 } } },
    { ...PROXIES, forwarding: 'x-forwarded-for', services: { direct: { trustedProxies: [], forwarding: 'auto' } } },
    { services: { edge: { ...PROXIES, forwarding: 'forwarded' } } },
  ])('is taken with %j', (attribution) => {
    expect(paths(attribution)).toEqual([]);
  });

  it('is missed by `status` while it is simulated', () => {
    const lines = (mode: string, attribution: object) =>
      unsaidLines(configSchema.parse({ attribution, response: { mode } }));
    expect(lines('simulate', PROXIES)).toEqual([expect.stringContaining('attribution.forwarding must be set')]);
    expect(lines('simulate', { ...PROXIES, forwarding: 'forwarded' })).toEqual([]);
    expect(lines('off', PROXIES)).toEqual([]);
  });

  it('then knows everybody for sure, whatever header a client adds', () => {
    const evidence = {
      service: 'edge',
      peer: '10.0.0.1',
      forwardedFor: ['203.0.113.7'],
      forwarded: ['for=192.0.2.1'],
      clientAddress: '',
      singleValues: [],
    };
    const by = (forwarding: string) =>
      createAttribution(attributionSection.parse({ ...PROXIES, forwarding })).resolve(evidence);
    expect(by('auto')).toMatchObject({ confidence: 'medium', reason: 'headers-disagree' });
    expect(by('x-forwarded-for')).toMatchObject({ address: '203.0.113.7', confidence: 'high', reason: '' });
    expect(by('forwarded')).toMatchObject({ address: '192.0.2.1', confidence: 'high', reason: '' });
  });
});
