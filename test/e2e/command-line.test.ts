/** The command as a user starts it: exit codes, one line for what went wrong, and a span's way from OTLP to `incidents list`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { noClickHouse } from '../functional/clickhouse/server.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-e2e-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

function start(...args: string[]): {
  child: ChildProcess;
  ended: Promise<number | null>;
  said: { out: string; err: string };
} {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };
  const child = spawn(process.execPath, ['cli/spanwarden.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, ended, said };
}

async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const { ended, said } = start(...args);
  return { code: await ended, ...said };
}

describe('wrong use', () => {
  test.each([
    ['no command', [], 2, /^$/],
    ['an unknown command', ['dance'], 2, /no command 'dance'; there are run, demo/],
    ['an unknown option', ['run', '--fast'], 2, /--fast/],
    ['an unknown role', ['run', 'dancer'], 2, /no role 'dancer'/],
    ['train without --out', ['train', 'x.jsonl'], 2, /train needs --out FILE/],
    ['score without a baseline', ['score', 'x.jsonl', '--out', 'y'], 2, /score needs --baseline/],
    ['an input that is not there', ['train', at('none.jsonl'), '--out', at('never.gz')], 1, /none\.jsonl/],
    ['a configuration that is not there', ['config', 'check', '--config', at('none.yaml')], 2, /none\.yaml/],
    ['roles that do not run', ['status', '--url', 'http://127.0.0.1:1'], 1, /nothing answers/],
  ] as const)('%s is one line and an exit code', async (_, args, code, line) => {
    const result = await run(...args);
    expect(result.code).toBe(code);
    expect(result.err).toMatch(line);
    expect(result.err).not.toMatch(/^\s+at /m);
  });

  test('a misspelt setting names the nearest; Kafka settings that do not fit together are refused by check and run alike', async () => {
    writeFileSync(at('wrong.yaml'), 'collector: { grpcProt: 1 }\n');
    const misspelt = await run('config', 'check', '--config', at('wrong.yaml'));
    expect(misspelt).toMatchObject({ code: 2, err: expect.stringContaining('grpcPort') });
    writeFileSync(at('kafka.yaml'), 'kafka: { brokers: ["localhost:9092"], sasl: { username: "spanwarden" } }\n');
    for (const args of [['config', 'check'], ['run']]) {
      const refused = await run(...args, '--config', at('kafka.yaml'));
      expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('kafka.sasl.mechanism') });
    }
  });
});

test.each(['run', 'demo', 'train', 'score', 'status', 'incidents', 'config'])(
  '%s --help tells its usage',
  async (name) => {
    const { code, out } = await run(name, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^usage: spanwarden ${name} `));
  },
);

describe.skipIf(noClickHouse)('run', () => {
  test('takes spans over OTLP/HTTP into ClickHouse, says so in status, lists incidents, and drains on SIGTERM', async () => {
    writeFileSync(
      at('run.yaml'),
      `log: { directory: ${at('log')} }
clickhouse: { embedded: { directory: ${at('clickhouse')} } }
collector: { grpcPort: 0, httpPort: 0 }
http: { port: 0 }
console: { port: 0, directory: ${at('console')} }
assembly: { graceMs: 200, absenceGraceMs: 500 }
`,
    );
    const { child, ended, said } = start('run', '--config', at('run.yaml'));
    const line = async (message: string): Promise<Record<string, { url: string }> & { http: string }> => {
      for (;;) {
        const found = said.err.split('\n').find((text) => text.includes(`"msg":"${message}"`));
        if (found !== undefined) return JSON.parse(found);
        if (!running.has(child)) throw new Error(said.err);
        await Promise.race([once(child.stderr!, 'data'), ended]);
      }
    };
    const otlp = (await line('collector listens')).http as unknown as { url: string };
    const http = (await line('roles started')).http;
    const nowNs = `${Date.now()}000000`;
    const span = {
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      name: 'GET /',
      kind: 2,
      startTimeUnixNano: nowNs,
      endTimeUnixNano: nowNs,
      attributes: [{ key: 'network.peer.address', value: { stringValue: '203.0.113.9' } }],
    };
    const answer = await fetch(`${otlp.url}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    });
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
    await expect
      .poll(async () => (await run('status', '--url', http)).out, { timeout: 30_000, interval: 200 })
      .toMatch(/judged +1 requests, 1 spans/);
    const { out } = await run('status', '--url', http);
    expect(out).toMatch(/spans in +1 accepted/);
    expect(out).toMatch(/clients +100\.0 % resolved/);
    expect(out).toMatch(/alerts +not yet: still learning/);
    expect((await fetch(`${http}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${http}/metrics`)).text();
    expect(metrics).toMatch(/^spanwarden_assembly_total\{role="detector",event="spans"\} 1$/m);
    expect(await run('incidents', 'list', '--config', at('run.yaml'))).toEqual({
      code: 0,
      out: 'no incidents\n',
      err: '',
    });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
