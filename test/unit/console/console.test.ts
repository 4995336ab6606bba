/** The console's API by injection: who may ask, what is refused, what is written and told. */
import { describe, expect, it, vi } from 'vitest';
import { createConsole } from '../../../console/service.ts';
import type { ConsoleStore } from '../../../console/store.ts';
import { tokenFor } from '../../../console/token.ts';
import type { StoredEdit } from '../../../runtime/clickhouse/store.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { BaselineRequest } from '../../../schemas/baselines/request.ts';
import { writeVersion } from '../../../schemas/baselines/version.ts';
import { consoleSection } from '../../../schemas/config/console.ts';
import { decodeIncidentAction } from '../../../schemas/log/codecs.ts';
import type { IncidentAction } from '../../../schemas/log/incident-action.ts';
import { loadedBaseline } from '../detector/traffic.ts';

const TOKEN = 'a-token-for-this-test';
const NOW = 1_800_000_000_000;
const PAIR = {
  kind: 'service-pair',
  explanationKey: 'gateway → payments',
  service: 'payments',
  operation: 'GET /items',
};

const INCIDENT = {
  id: 'abcdef0123456789',
  title: 'Service called one that it never called before: gateway → payments',
  state: 'open',
  mergedInto: '',
  class: 'security',
  kind: 'service-pair',
  explanationKey: 'gateway → payments',
  traceIds: ['t1'],
  findings: [],
};

function open(settings: Record<string, unknown> = {}, over: Partial<ConsoleStore> = {}, logIsAway = () => false) {
  const { baseline, entries } = loadedBaseline();
  const written: StoredEdit[] = [];
  const actions: IncidentAction[] = [];
  const requests: BaselineRequest[] = [];
  const imported: string[] = [];
  const store: ConsoleStore = {
    async edits({ id, history } = {}) {
      const all = written.filter(({ document }) => id === undefined || document.id === id).toReversed();
      if (history === true) return all;
      return all.filter(({ document }, i) => all.findIndex((one) => one.document.id === document.id) === i);
    },
    async insertEdit(edit) {
      written.push(edit);
    },
    incidents: async ({ id } = {}) => (id === undefined || id === INCIDENT.id ? [INCIDENT as never] : []),
    listVersions: async () => [baseline.manifest as never],
    loadVersion: async () => ({ manifest: baseline.manifest, entries }) as never,
    async requestBaseline(request) {
      requests.push(request);
    },
    baselineRequests: async () => [],
    deadLetters: async () => [],
    decisions: async () => [],
    async insertImported(version) {
      imported.push(version);
    },
    findingsOfTraces: async () => [
      {
        id: 'v',
        traceId: 't1',
        operation: 'GET /search',
        anomalous: true,
        findings: [{ ...PAIR, hard: true, candidate: false }],
      },
    ],
    recentFindings: async () => ({
      scored: 1_000,
      verdicts: [
        {
          id: 'v',
          traceId: 't1',
          operation: 'GET /search',
          anomalous: true,
          findings: [{ ...PAIR, hard: true, candidate: false }],
        },
      ],
    }),
    judgedBad: async () => undefined,
    novelties: async () => [PAIR],
    inventoryCalls: async () => [{ service: 'payments', operation: 'GET /items' }],
    ...over,
  };
  const service = createConsole(consoleSection.parse({ token: TOKEN, port: 0, ...settings }), {
    store,
    log: {
      async produce(_topic, records) {
        if (logIsAway()) throw new SpanwardenError('LOG_UNAVAILABLE', 'the log does not answer');
        for (const { value } of records) actions.push(decodeIncidentAction(value)!);
      },
    },
    logger: createLogger({ name: 'test', level: 'silent' }),
    metrics: createMetrics(),
    now: () => NOW,
    newId: () => `${written.length + requests.length}fedcba9-0000`,
  });
  const ask = async (
    method: 'GET' | 'POST' | 'PUT',
    url: string,
    body?: object | string,
    headers: Record<string, string> = {},
  ) => {
    const answer = await service.app.inject({
      method,
      url: url.startsWith('/') ? url : `/api/v1/${url}`,
      headers: { host: '127.0.0.1:9465', authorization: `Bearer ${TOKEN}`, ...headers },
      ...(body !== undefined && { payload: body }),
    });
    return {
      status: answer.statusCode,
      type: String(answer.headers['content-type']),
      said: answer.json() as Record<string, unknown> & { detail: string },
    };
  };
  return { ask, written, actions, requests, imported, service };
}

const THRESHOLD = { state: 'pinned', entry: 'GET /search', thresholds: { timing: 0.9 } };

describe('who may ask', () => {
  const { ask } = open({ hosts: ['console.example:443'] });
  it.each<[string, Record<string, string>, number]>([
    ['without a token', { authorization: '' }, 401],
    ['with another token', { authorization: 'Bearer another token' }, 401],
    ['by a name that is not ours (DNS rebinding)', { host: 'evil.example' }, 421],
    ['from another site’s page', { origin: 'https://evil.example' }, 403],
    ['from another port’s page', { origin: 'http://127.0.0.1:1' }, 403],
    ['cross-site, as the browser says', { 'sec-fetch-site': 'cross-site' }, 403],
    ['with a null origin', { origin: 'null' }, 403],
  ])('a request %s is refused', async (_what, headers, status) => {
    const answer = await ask('GET', 'edits', undefined, headers);
    expect(answer.status).toBe(status);
    expect(answer.type).toContain('application/problem+json');
    expect(answer.said).toMatchObject({ type: 'about:blank', status });
  });

  it('a request of ours passes, by loopback or a configured name; health needs no token', async () => {
    expect((await ask('GET', 'edits', undefined, { origin: 'http://127.0.0.1:9465' })).status).toBe(200);
    expect((await ask('GET', 'edits', undefined, { host: 'localhost:1234' })).status).toBe(200);
    expect((await ask('GET', 'edits', undefined, { host: 'Console.example:443' })).status).toBe(200);
    expect((await ask('GET', '/healthz', undefined, { authorization: '' })).said).toEqual({ status: 'alive' });
  });

  it.each([
    ['127.0.0.2', ['127.0.0.2:9465', '127.8.9.1'], ['127.evil.example', '10.0.0.5:9465']],
    ['10.0.0.5', ['10.0.0.5:9465', 'localhost'], ['10.0.0.6:9465']],
    ['FD00::0005', ['[fd00::5]:9465', '[::1]:9465'], ['[fd00::6]:9465']],
    ['0.0.0.0', ['127.0.0.1:9465', '0.0.0.0:9465'], ['evil.example']],
  ])('bound to %s it is known by that address and by loopback, by nothing else', async (host, ours, others) => {
    const bound = open({ host });
    for (const name of ours) expect((await bound.ask('GET', 'edits', undefined, { host: name })).status).toBe(200);
    for (const name of others) expect((await bound.ask('GET', 'edits', undefined, { host: name })).status).toBe(421);
  });

  it('beyond loopback a token must be configured; on loopback a random one is made', () => {
    expect(() => tokenFor({ host: '0.0.0.0', token: '' })).toThrow('set console.token');
    expect(tokenFor({ host: '127.0.0.1', token: '' })).not.toBe(tokenFor({ host: '127.0.0.1', token: '' }));
    expect(tokenFor({ host: '127.0.0.1', token: '' }).length).toBeGreaterThan(40);
  });
});

describe('bodies', () => {
  const { ask, written } = open();
  it.each<[string, object | string, Record<string, string>, number]>([
    ['no JSON', '{', { 'content-type': 'application/json' }, 400],
    ['another type', 'state=approved', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['plain text', '{}', { 'content-type': 'text/plain' }, 415],
    ['more than a megabyte', { edit: THRESHOLD, by: 'x'.repeat(2 << 20) }, {}, 413],
    ['an unknown field', { edit: THRESHOLD, surprise: 1 }, {}, 400],
    ['an edit that says nothing', { edit: { state: 'approved' } }, {}, 400],
    ['an edit that has ended', { edit: { ...THRESHOLD, expiresMs: NOW - 1 } }, {}, 400],
    ['an edit that refers to nothing', { edit: { ...THRESHOLD, entry: 'GET /serach' } }, {}, 422],
  ])('%s is refused and nothing is written', async (_what, body, headers, status) => {
    const answer = await ask('POST', 'edits', body, headers);
    expect(answer.status).toBe(status);
    expect(answer.said.detail).not.toBe('');
    expect(written).toEqual([]);
  });

  it('says the nearest known name, and one line for each thing that is wrong', async () => {
    const { said } = await ask('POST', 'edits', { edit: { ...THRESHOLD, entry: 'GET /serach' } });
    expect(said.detail).toContain("the nearest known one is 'GET /search'");
    expect(said.errors).toHaveLength(1);
    expect((await ask('GET', 'nothing')).status).toBe(404);
  });

  it('while the store is away: try again', async () => {
    const away = open(
      {},
      {
        edits: () => Promise.reject(new SpanwardenError('CLICKHOUSE_UNAVAILABLE', 'ClickHouse does not answer')),
      },
    );
    expect((await away.ask('GET', 'edits')).status).toBe(503);
    const broken = open({}, { edits: () => Promise.reject(new Error('a secret of ours')) });
    const { status, said } = await broken.ask('GET', 'edits');
    expect([status, said.detail]).toEqual([500, 'internal error']);
  });
});

describe('edits', () => {
  it('are events: created, revised from the revision that was seen, retired, never deleted', async () => {
    const { ask, written } = open();
    const created = await ask('POST', 'edits', { edit: THRESHOLD, by: 'ann', id: 'search-timing' });
    expect(created.status).toBe(201);
    expect(created.said.document).toMatchObject({
      id: 'search-timing',
      revision: 1,
      supersedes: 0,
      by: 'ann',
      atMs: NOW,
    });
    expect((await ask('POST', 'edits', { edit: THRESHOLD, id: 'search-timing' })).status).toBe(409);
    const next = { edit: { ...THRESHOLD, thresholds: { timing: 0.8 } }, supersedes: 1, by: 'bob' };
    expect((await ask('PUT', 'edits/search-timing', next)).said.document).toMatchObject({ revision: 2, supersedes: 1 });
    expect((await ask('PUT', 'edits/search-timing', next)).status).toBe(409);
    expect((await ask('PUT', 'edits/none', { ...next, supersedes: 1 })).status).toBe(404);
    const retired = await ask('POST', 'edits/search-timing/retire', { by: 'ann', comment: 'over' });
    expect(retired.said.document).toMatchObject({ revision: 3, state: 'retired', comment: 'over' });
    expect((await ask('POST', 'edits/search-timing/retire', {})).status).toBe(409);
    expect(written.map(({ document }) => document.revision)).toEqual([1, 2, 3]);
    expect((await ask('GET', 'edits')).said.edits).toEqual([]);
    expect((await ask('GET', 'edits?all=1')).said.edits).toHaveLength(1);
    expect((await ask('GET', 'edits/search-timing')).said.revisions).toHaveLength(3);
  });

  it('go with what they would have changed; a preview writes nothing', async () => {
    const { ask, written } = open();
    const edit = { state: 'approved', approve: [{ kind: PAIR.kind, explanationKey: PAIR.explanationKey }] };
    const shown = await ask('POST', 'edits/preview', { edit });
    expect(shown.said.preview).toMatchObject({
      judgedAgain: null,
      stored: { scored: 1_000, fewerFindings: 1, silenced: 1 },
    });
    expect(written).toEqual([]);
    await ask('POST', 'edits', { edit });
    expect(JSON.parse(written[0]!.preview)).toEqual(shown.said.preview);
  });

  it('are not held up by previews: what stands when one is made is looked at again before it is written', async () => {
    const previews: (() => void)[] = [];
    const { ask, written } = open(
      {},
      {
        recentFindings: () => new Promise((resolve) => previews.push(() => resolve({ scored: 0, verdicts: [] }))),
      },
    );
    const edit = { state: 'approved', approve: [{ kind: PAIR.kind, explanationKey: PAIR.explanationKey }] };
    const slow = ask('POST', 'edits', { edit, id: 'payments' });
    await vi.waitUntil(() => previews.length === 1);
    expect((await ask('POST', 'edits', { edit: THRESHOLD, id: 'other', preview: false })).status).toBe(201);
    expect((await ask('POST', 'edits', { edit, id: 'payments', preview: false })).status).toBe(201);
    previews[0]!();
    expect((await slow).status).toBe(409);
    expect(written.map(({ document }) => [document.id, document.revision])).toEqual([
      ['other', 1],
      ['payments', 1],
    ]);
  });

  it('more previews than can be made soon are refused, and nothing is written for them', async () => {
    const { ask, written } = open({}, { recentFindings: () => new Promise(() => {}) });
    const edit = { state: 'approved', approve: [{ kind: PAIR.kind, explanationKey: PAIR.explanationKey }] };
    const asked = Array.from({ length: 9 }, () => ask('POST', 'edits', { edit }));
    expect((await Promise.race(asked)).status).toBe(503);
    expect(written).toEqual([]);
  });

  it('are retired without a preview where none is wanted', async () => {
    const { ask, written } = open();
    await ask('POST', 'edits', { edit: THRESHOLD, id: 'search-timing' });
    expect((await ask('POST', 'edits/search-timing/retire', { preview: false })).said.preview).toBeNull();
    expect(written.map(({ preview }) => preview === '')).toEqual([false, true]);
  });

  it('a preview of a name is one of its next revision, or of a first one, and writes nothing', async () => {
    const { ask, written } = open();
    await ask('POST', 'edits', { edit: THRESHOLD, id: 'search-timing' });
    const preview = async (id: string) => (await ask('POST', 'edits/preview', { edit: THRESHOLD, id })).said.document;
    expect(await preview('search-timing')).toMatchObject({ id: 'search-timing', revision: 2, supersedes: 1 });
    expect(await preview('another')).toMatchObject({ id: 'another', revision: 1, supersedes: 0 });
    expect(written).toHaveLength(1);
  });

  it('are written, and say so, where stored verdicts cannot be looked at', async () => {
    const { ask, written } = open({}, { recentFindings: () => Promise.reject(new Error('memory limit exceeded')) });
    const edit = { state: 'approved', approve: [{ kind: PAIR.kind, explanationKey: PAIR.explanationKey }] };
    const { status, said } = await ask('POST', 'edits', { edit });
    expect([status, written.length]).toEqual([201, 1]);
    expect(said.preview).toMatchObject({ stored: null, why: expect.stringContaining('memory limit exceeded') });
  });

  it('a learned signature becomes a document that can be pinned as it is', async () => {
    const { ask } = open();
    const { said } = await ask('GET', `baseline/draft?signature=${encodeURIComponent('GET /search #1')}`);
    expect(said.edit).toMatchObject({ state: 'pinned', entry: 'GET /search' });
    expect((said.edit as { required: object[] }).required).toContainEqual({
      parent: { service: 'catalog', operation: 'GET /items' },
      child: { service: 'catalog', operation: 'SELECT items' },
    });
    expect((said.edit as { counts: object[] }).counts).toContainEqual({
      parent: { service: 'gateway', operation: 'GET /search' },
      child: { service: 'gateway', operation: 'GET' },
      max: 1,
    });
    expect((await ask('POST', 'edits', { edit: said.edit as object })).status).toBe(201);
    expect((await ask('GET', 'baseline/draft?signature=nothing')).said.detail).toContain('the nearest is');
  });

  it('a signature is known by the name that people read', async () => {
    const { ask } = open();
    const { said } = await ask('POST', 'edits', { edit: { state: 'blocked', signature: 'GET /search #1' } });
    expect((said.document as { signature: string }).signature).toMatch(/^gateway server GET \/search #[0-9a-z]+$/);
  });
});

describe('incidents', () => {
  it('an operator’s word is a record for the responder', async () => {
    const { ask, actions } = open();
    const { status } = await ask('POST', 'incidents/abcdef0123456789/actions', {
      action: 'resolve',
      by: 'ann',
      comment: 'ok',
    });
    expect(status).toBe(202);
    expect(actions).toEqual([
      { incidentId: INCIDENT.id, action: 'resolve', by: 'ann', comment: 'ok', atMs: NOW, editId: '' },
    ]);
    expect((await ask('POST', 'incidents/abcd/actions', { action: 'bad' })).status).toBe(202);
    expect((await ask('POST', 'incidents/nothing/actions', { action: 'bad' })).status).toBe(404);
    expect((await ask('POST', 'incidents/abcd/actions', { action: 'forget' })).status).toBe(400);
  });

  it('expect always makes the smallest edit, names it in the record, and a dry run does neither', async () => {
    const { ask, actions, written } = open();
    const body = { action: 'expect-always', by: 'ann', expiresMs: NOW + 1_000 };
    const dry = await ask('POST', `incidents/${INCIDENT.id}/actions`, { ...body, dryRun: true });
    expect(dry.said.edit).toMatchObject({ document: { state: 'approved', approve: [PAIR] } });
    expect([actions, written]).toEqual([[], []]);
    await ask('POST', `incidents/${INCIDENT.id}/actions`, body);
    expect(written).toMatchObject([{ incidentId: INCIDENT.id, document: { approve: [PAIR], expiresMs: NOW + 1_000 } }]);
    expect(actions).toMatchObject([{ action: 'expect-always', editId: written[0]!.document.id }]);
  });

  it.each(['expect-once', 'expect-always'])(
    '%s of what was judged bad is refused before anything is written',
    async (action) => {
      const { ask, actions, written } = open({}, { judgedBad: async ({ id }) => ({ id, by: 'bob' }) });
      const { status, said } = await ask('POST', `incidents/${INCIDENT.id}/actions`, { action });
      expect([status, actions, written]).toEqual([409, [], []]);
      expect(said.detail).toContain('judged bad by bob: reopen it first');
      const other = open({}, { judgedBad: async () => ({ id: 'fedcba', by: '' }) });
      expect((await other.ask('POST', `incidents/${INCIDENT.id}/actions`, { action })).said.detail).toContain('fedcba');
      expect((await other.ask('POST', `incidents/${INCIDENT.id}/actions`, { action: 'reopen' })).status).toBe(202);
    },
  );

  it('expect always said again, as after the log was away, makes no second edit', async () => {
    let away = true;
    const { ask, actions, written } = open({}, {}, () => away);
    const always = (more: object = {}) =>
      ask('POST', `incidents/${INCIDENT.id}/actions`, { action: 'expect-always', expiresMs: NOW + 5_000_000, ...more });
    expect((await always()).status).toBe(503);
    expect([written.length, actions.length]).toEqual([1, 0]);
    away = false;
    const again = await always({ expiresMs: NOW + 5_000_100 });
    expect([again.status, written.length]).toEqual([202, 1]);
    expect(again.said.edit).toMatchObject({ document: { id: written[0]!.document.id }, preview: { stored: {} } });
    expect(actions).toMatchObject([{ editId: written[0]!.document.id }]);
    await always({ expiresMs: null, preview: false });
    expect(written.map(({ document, preview }) => [document.expiresMs, preview === ''])).toEqual([
      [NOW + 5_000_000, false],
      [null, true],
    ]);
  });

  it('what no version can expect is refused and says what to do', async () => {
    const collective = { ...INCIDENT, kind: 'collective' };
    const { ask, actions } = open({}, { incidents: async () => [collective as never] });
    const { status, said } = await ask('POST', `incidents/${INCIDENT.id}/actions`, { action: 'expect-always' });
    expect([status, actions]).toEqual([409, []]);
    expect(said.detail).toContain('--once');
  });
});

describe('the baseline', () => {
  it('current is the newest version that judges, for export as in the list', async () => {
    const { baseline, entries } = loadedBaseline();
    const newest = { ...baseline.manifest, version: 'ffffffffffffffff', alerting: false };
    const { ask, service } = open(
      {},
      {
        listVersions: async () => [newest, baseline.manifest] as never,
        loadVersion: async (version) => {
          expect(version).toBe(baseline.version);
          return { manifest: baseline.manifest, entries } as never;
        },
      },
    );
    expect((await ask('GET', 'baseline/versions')).said.current).toBe(baseline.version);
    const exported = await service.app.inject({
      url: '/api/v1/baseline/versions/current/export',
      headers: { host: 'localhost', authorization: `Bearer ${TOKEN}` },
    });
    expect(exported.headers['x-baseline-version']).toBe(baseline.version);
  });

  it('a damaged import is refused and says why', async () => {
    const { ask, imported } = open({}, { listVersions: async () => [] });
    const type = { 'content-type': 'application/x-ndjson' };
    const { entries } = loadedBaseline();
    const manifested = (value: string) =>
      [...writeVersion(entries.map((one) => (one.group === 'manifest' ? { ...one, value } : one)))].join('');
    const { manifest } = loadedBaseline().baseline;
    for (const [body, why] of [
      [Buffer.from([0xff, 0xfe, 0x0a]), 'UTF-8'],
      [manifested('{'), 'no JSON'],
      [manifested('null'), 'manifest'],
      [manifested(JSON.stringify({ ...manifest, version: undefined })), 'manifest'],
      [manifested(JSON.stringify({ ...manifest, segments: manifest.segments + 1 })), 'its content'],
    ] as const) {
      const { status, said } = await ask('POST', 'baseline/import', body, type);
      expect([status, said.detail]).toEqual([400, expect.stringContaining(why)]);
    }
    expect(imported).toEqual([]);
  });

  it('is exported and imported as lines, and rolled back by its id or the start of it', async () => {
    const { ask, requests, imported, service } = open();
    const elsewhere = open({}, { listVersions: async () => [] });
    const { baseline, entries } = loadedBaseline();
    const lines = [...writeVersion(entries)].join('');
    const exported = await service.app.inject({
      url: '/api/v1/baseline/versions/current/export',
      headers: { host: 'localhost', authorization: `Bearer ${TOKEN}` },
    });
    expect(exported.body).toBe(lines);
    const type = { 'content-type': 'application/x-ndjson' };
    const { status, said } = await elsewhere.ask('POST', 'baseline/import?by=ann&force=1', lines, type);
    expect([status, said.entries]).toEqual([202, entries.length]);
    expect(elsewhere.imported).toEqual([baseline.version]);
    expect(elsewhere.requests).toMatchObject([{ kind: 'import', version: baseline.version, force: true }]);
    // where it is stored already, its rows are not written over
    expect((await ask('POST', 'baseline/import?force=1', lines, type)).status).toBe(409);
    expect(imported).toEqual([]);
    expect((await ask('POST', 'baseline/import', lines.replace('GET /search', 'GET /seerch'), type)).status).toBe(400);
    expect((await ask('POST', 'baseline/import', 'nothing\n', type)).status).toBe(400);
    await ask('POST', 'baseline/rollback', { version: baseline.version.slice(0, 6), by: 'ann' });
    expect((await ask('POST', 'baseline/rollback', { version: 'zz' })).status).toBe(404);
    await ask('POST', 'baseline/resume', { forget: true });
    expect(requests.map(({ kind, version, force, forget }) => [kind, version, force, forget])).toEqual([
      ['roll-back', baseline.version, false, false],
      ['resume', '', false, true],
    ]);
  });
});
