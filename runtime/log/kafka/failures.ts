/** What went wrong between us and the brokers, in one line with the way out. No secret is in any of them. */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';

/** Numbers of the Kafka protocol's errors that we treat apart (kafka.apache.org/protocol, "Error Codes"). */
export const KafkaError = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidReplicationFactor: 38,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  unknownProducer: 59,
  memberIdRequired: 79,
  policyViolation: 44,
} as const;

export interface Failure {
  /** One line for people. */
  readonly reason: string;
  /** Label of the metric: a closed list. */
  readonly what: 'refused' | 'timeout' | 'closed' | 'tls' | 'authentication' | 'name' | 'other';
  /** Trying again cannot help before somebody changes something, here or there. */
  readonly refused: boolean;
}

interface ErrorLike {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly response?: unknown;
}

/** The error and everything it was caused by, outermost first. */
function chainOf(error: unknown): ErrorLike[] {
  const chain: ErrorLike[] = [];
  const add = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || chain.length > 20) return;
    const like = one as ErrorLike;
    chain.push(like);
    add(like.cause);
    if (Array.isArray(like.errors)) for (const inner of like.errors) add(inner);
  };
  add(error);
  return chain;
}

/** The broker's answer inside an error that the library makes of an answer with error codes. */
export function responseOf<T>(error: unknown): T | undefined {
  for (const { response } of chainOf(error)) if (response !== undefined) return response as T;
  return undefined;
}

const CERTIFICATE_CODES = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

export function explainFailure(error: unknown, config: KafkaConfig): Failure {
  const chain = chainOf(error);
  const codes = chain.map(({ code }) => String(code ?? ''));
  const texts = chain.map(({ message }) => String(message ?? ''));
  const has = (code: string): boolean => codes.includes(code);
  const says = (text: string): boolean => texts.some((one) => one.includes(text));
  const last = texts.findLast((text) => text !== '') ?? 'unknown error';
  const { sasl, tls } = config;

  if (says('Cannot find a suitable SASL mechanism')) {
    const offered = responseOf<{ readonly mechanisms?: readonly string[] }>(error)?.mechanisms?.join(', ');
    return {
      reason: `the broker does not take ${sasl.mechanism} (kafka.sasl.mechanism)${offered ? `; it takes ${offered}` : ''}`,
      what: 'authentication',
      refused: true,
    };
  }
  if (has('PLT_KFK_AUTHENTICATION') || says('SASL authentication failed'))
    return {
      reason: `the broker refuses user '${sasl.username}' with ${sasl.mechanism}: check kafka.sasl.username and kafka.sasl.password`,
      what: 'authentication',
      refused: true,
    };
  if (says('Broker requires TLS'))
    return { reason: 'the broker demands TLS: set kafka.tls.enabled', what: 'tls', refused: true };
  const certificate = codes.find((code) => CERTIFICATE_CODES.test(code));
  if (certificate !== undefined) {
    const wayOut =
      certificate === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? 'the certificate is for another name: use that name in kafka.brokers, or set kafka.tls.serverName'
        : certificate === 'CERT_HAS_EXPIRED'
          ? 'it has expired'
          : 'name its certificate authority in kafka.tls.caFile';
    return {
      reason: `the broker's certificate is not trusted (${certificate}): ${wayOut}`,
      what: 'tls',
      refused: true,
    };
  }
  if (codes.some((code) => code.startsWith('ERR_OSSL_')))
    return { reason: `kafka.tls.certFile or kafka.tls.keyFile cannot be used: ${last}`, what: 'tls', refused: true };
  if (codes.some((code) => code.startsWith('ERR_SSL_')) || says('SSL routines'))
    return {
      reason: says('alert')
        ? `the broker refuses our side of TLS: it may ask for kafka.tls.certFile and kafka.tls.keyFile (${last})`
        : 'TLS does not fit: the broker may not speak TLS on this port (kafka.tls.enabled)',
      what: 'tls',
      refused: false,
    };
  if (says('secure TLS connection was established') || says('verify the broker supports TLS'))
    return {
      reason: 'the broker ended the TLS handshake: it may not speak TLS on this port (kafka.tls.enabled)',
      what: 'tls',
      refused: false,
    };
  if (has('ECONNREFUSED')) return { reason: 'nothing listens there', what: 'refused', refused: false };
  if (has('ENOTFOUND') || has('EAI_AGAIN'))
    return { reason: 'the name of the broker is unknown', what: 'name', refused: false };
  if (says('timed out') || has('PLT_KFK_TIMEOUT') || has('ETIMEDOUT'))
    return { reason: 'the broker did not answer in time', what: 'timeout', refused: false };
  if (says('Connection closed') || has('ECONNRESET') || has('EPIPE')) {
    const demands = [
      ...(sasl.mechanism === 'none' ? ['authentication (kafka.sasl.mechanism)'] : []),
      ...(tls.enabled ? [] : ['TLS (kafka.tls.enabled)']),
    ];
    return {
      reason: `the broker closed the connection${demands.length > 0 ? `; if it does so always, it may demand ${demands.join(' or ')}` : ''}`,
      what: 'closed',
      refused: false,
    };
  }
  return { reason: last, what: 'other', refused: false };
}
