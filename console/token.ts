/** Address and token of a running console, in a file that only its user can read: how commands on this machine find it. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { SpanwardenError } from '../runtime/errors.ts';

export interface ConsoleAccess {
  readonly url: string;
  readonly token: string;
}

const fileIn = (directory: string): string => join(resolve(directory), 'access.json');

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** The configured token, or a random one; beyond loopback one must be configured. Throws CONFIG_INVALID. */
export function tokenFor({ host, token }: { readonly host: string; readonly token: string }): string {
  if (token !== '') return token;
  if (!isLoopback(host))
    throw new SpanwardenError('CONFIG_INVALID', `console.host ${host} is not loopback: set console.token`);
  return randomBytes(32).toString('base64url');
}

export async function writeAccess(directory: string, access: ConsoleAccess): Promise<void> {
  await mkdir(resolve(directory), { recursive: true, mode: 0o700 });
  const path = fileIn(directory);
  // a file of that name may be there with other rights
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, JSON.stringify(access), { mode: 0o600, flag: 'wx' });
  await rename(`${path}.new`, path);
}

/** Undefined when none is written. */
export async function readAccess(directory: string): Promise<ConsoleAccess | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(directory), 'utf8')) as ConsoleAccess;
  } catch {
    return undefined;
  }
}

/** Takes the file away, if it is still ours. */
export async function removeAccess(directory: string, access: ConsoleAccess): Promise<void> {
  const present = await readAccess(directory);
  if (present?.token === access.token && present.url === access.url) await rm(fileIn(directory), { force: true });
}
