/** Asks a running console: the address given, else the one that the console of this user's directory wrote. */
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { type ConsoleAccess, readAccess } from '../../console/token.ts';
import { processEnvironment } from '../../runtime/config/environment.ts';
import { loadConfig } from '../../runtime/config/load.ts';
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Config } from '../../schemas/config/index.ts';

/** Options of every command that asks the console. */
export const CONSOLE_OPTIONS = {
  url: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean' },
  by: { type: 'string' },
} as const;

export const CONSOLE_HELP = `--by NAME       who says it (default: the user of this process)
--json          the answer as it came
--url URL       the console (default: what a console of this user on this machine wrote into console.directory); its token is
                console.token of the configuration (SPANWARDEN_CONSOLE_TOKEN), or that of the same file
--config FILE   the YAML file`;

export interface ConsoleClient {
  get<T>(path: string): Promise<T>;
  send<T>(method: 'POST' | 'PUT', path: string, body: object): Promise<T>;
  /** The answer's body, not read yet. */
  stream(path: string): Promise<Response>;
  upload<T>(path: string, contentType: string, body: ReadableStream<Uint8Array>): Promise<T>;
  /** Who asks. */
  readonly by: string;
}

export interface ConsoleValues {
  readonly url?: string | undefined;
  readonly config?: string | undefined;
  readonly by?: string | undefined;
}

/** A preview may judge thousands of requests again. */
const WAIT_MS = 300_000;

export async function connectConsole(values: ConsoleValues): Promise<ConsoleClient> {
  const { console: config } = loadConfig({ file: values.config, env: processEnvironment() });
  const access = await accessOf(config, values.url);

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${access.token}` };
    const answer = await fetch(`${access.url}/api/v1/${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(WAIT_MS),
    }).catch((cause: unknown) => {
      throw failed(access.url, init.method, cause);
    });
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
    throw new SpanwardenError(
      'INPUT_UNREADABLE',
      problem.detail ?? `the console at ${access.url} answered ${answer.status}`,
    );
  }

  const json = async <T>(answer: Promise<Response>): Promise<T> => {
    const given = await answer;
    return given.json().catch((cause: unknown) => {
      throw failed(access.url, 'GET', cause);
    }) as Promise<T>;
  };
  return {
    by: values.by ?? userName(),
    get: (path) => json(ask(path, {})),
    send: (method, path, body) =>
      json(ask(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })),
    stream: (path) => ask(path, {}),
    upload: (path, contentType, body) =>
      json(
        ask(path, { method: 'POST', headers: { 'content-type': contentType }, body, duplex: 'half' } as RequestInit),
      ),
  };
}

/** Why there is no answer; what was asked may have been done where none came in time. */
export function failed(url: string, method: string | undefined, cause: unknown): SpanwardenError {
  const own = (cause as { cause?: unknown }).cause; // what was sent could not be read to its end
  if (own instanceof SpanwardenError) return own;
  if ((cause as { name?: unknown }).name !== 'TimeoutError')
    return new SpanwardenError('STOPPED', `no console answers at ${url}: start one with 'spanwarden run'`, { cause });
  const done =
    method === undefined || method === 'GET'
      ? ''
      : "; what was asked may have been done all the same: see 'spanwarden edits list' or 'baseline requests'";
  return new SpanwardenError('STOPPED', `the console at ${url} did not answer within ${WAIT_MS / 60_000} min${done}`, {
    cause,
  });
}

/** '' where this process has a number and no name, as in a container. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

async function accessOf(config: Config['console'], url: string | undefined): Promise<ConsoleAccess> {
  const written = await readAccess(config.directory);
  const address = url?.replace(/\/$/, '') ?? written?.url;
  if (address === undefined)
    throw new SpanwardenError(
      'STOPPED',
      `no console runs here (nothing in ${resolve(config.directory)}): start one with 'spanwarden run', or name it with --url`,
    );
  const token = config.token !== '' ? config.token : written?.url === address ? written.token : '';
  if (token === '')
    throw new SpanwardenError('CONFIG_INVALID', `the token of ${address} is not known: set SPANWARDEN_CONSOLE_TOKEN`);
  return { url: address, token };
}
