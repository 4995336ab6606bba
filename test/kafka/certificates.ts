/** Certificates made for one test: an authority, a broker's and a client's, all valid for two days (openssl). */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificates {
  /** PEM files. */
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** The broker's private key and certificate in one file, as Kafka reads PEM. */
  readonly brokerFile: string;
}

async function openssl(directory: string, args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('openssl', [...args], { cwd: directory });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    throw new Error(code === 'ENOENT' ? 'openssl is not installed' : `openssl ${args[0]} failed: ${stderr}`);
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

async function signed(directory: string, name: string, extensions: string): Promise<void> {
  await writeFile(join(directory, `${name}.ext`), extensions);
  const request = ['-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`];
  await openssl(directory, ['req', ...request]);
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  const own = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
  await openssl(directory, ['x509', '-req', '-days', '2', ...authority, ...own]);
}

/** Makes them in `directory` (default: a new temporary one). The broker's is for `localhost` and 127.0.0.1. */
export async function createCertificates(directory?: string): Promise<Certificates> {
  const at = directory ?? (await mkdtemp(join(tmpdir(), 'spanwarden-certificates-')));
  const subject = ['-subj', '/CN=Spanwarden test authority', '-keyout', 'ca.key', '-out', 'ca.pem'];
  await openssl(at, ['req', '-x509', '-days', '2', ...NEW_KEY, ...subject]);
  await signed(at, 'broker', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  await signed(at, 'client', 'extendedKeyUsage=clientAuth\n');
  const brokerFile = join(at, 'broker-keystore.pem');
  const parts = await Promise.all(['broker.key', 'broker.pem'].map((name) => readFile(join(at, name), 'utf8')));
  await writeFile(brokerFile, parts.join(''));
  return {
    caFile: join(at, 'ca.pem'),
    clientCertFile: join(at, 'client.pem'),
    clientKeyFile: join(at, 'client.key'),
    brokerFile,
  };
}
