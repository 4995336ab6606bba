/** What the configuration says about reaching the brokers, in the form the client library takes. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from '@platformatic/kafka';
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { SpanwardenError } from '../../errors.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9_092;

/** `host`, `host:port`, `[v6]:port`. */
export function parseBroker(text: string): BrokerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535)
    throw new SpanwardenError('CONFIG_INVALID', `kafka.brokers: '${text}' is not host:port`);
  return { host, port };
}

export const addressOf = ({ host, port }: BrokerAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function readPem(setting: string, file: string): Buffer | undefined {
  if (file === '') return undefined;
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SpanwardenError('CONFIG_INVALID', `${setting}: cannot read it: ${reason}`);
  }
  if (!pem.includes('-----BEGIN ')) throw new SpanwardenError('CONFIG_INVALID', `${setting}: ${file} is no PEM file`);
  return pem;
}

/** Says what does not fit before any broker is asked. Throws CONFIG_INVALID. */
export function checkKafkaConfig(config: KafkaConfig): void {
  for (const broker of config.brokers) parseBroker(broker);
  const { tls, sasl } = config;
  const invalid = (message: string): never => {
    throw new SpanwardenError('CONFIG_INVALID', message);
  };
  if (sasl.mechanism !== 'none' && sasl.username === '') invalid('kafka.sasl.username is empty');
  if (sasl.mechanism === 'none' && sasl.username !== '')
    invalid('kafka.sasl.username is set, but kafka.sasl.mechanism is none');
  if ((tls.certFile === '') !== (tls.keyFile === ''))
    invalid('kafka.tls.certFile and kafka.tls.keyFile must be set together');
  if (!tls.enabled && (tls.caFile !== '' || tls.certFile !== '' || tls.serverName !== ''))
    invalid('kafka.tls has settings, but kafka.tls.enabled is false');
}

/** Reads the certificate files. Throws CONFIG_INVALID. */
export function connectionOptions(config: KafkaConfig): ConnectionOptions {
  checkKafkaConfig(config);
  const { tls, sasl } = config;
  const ca = readPem('kafka.tls.caFile', tls.caFile);
  const cert = readPem('kafka.tls.certFile', tls.certFile);
  const key = readPem('kafka.tls.keyFile', tls.keyFile);
  return {
    connectTimeout: config.connectTimeoutMs,
    ...(tls.enabled && { tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } }),
    ...(tls.serverName !== '' && { tlsServerName: tls.serverName }),
    ...(sasl.mechanism !== 'none' && {
      sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password },
    }),
  };
}
