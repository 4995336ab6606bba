/** server.properties of a small KRaft node on loopback: broker and controller in one process. */
import type { Certificates } from './certificates.ts';

export type Properties = Readonly<Record<string, string | number | boolean>>;
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** What clients must bring; without it they come as they are. */
export interface Security {
  readonly tls?: boolean;
  /** With TLS: clients must show a certificate of the same authority. */
  readonly clientCertificates?: boolean;
  readonly sasl?: {
    readonly mechanisms: readonly SaslMechanism[];
    /** Password by user. */
    readonly users: Readonly<Record<string, string>>;
  };
}

/** One of the nodes of a cluster, by number from 1. */
export interface NodePorts {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  /** For the other nodes, where clients must bring something. */
  readonly innerPort: number;
}

export interface NodeSettings {
  readonly node: NodePorts;
  /** All nodes, this one included. */
  readonly nodes: readonly NodePorts[];
  /** Where the node keeps its data. */
  readonly dataDirectory: string;
  readonly security: Security;
  readonly certificates?: Certificates | undefined;
  /** Win over everything here. */
  readonly properties: Properties;
}

export const HOST = '127.0.0.1';

function protocolOf(security: Security): string {
  if (security.sasl !== undefined) return security.tls === true ? 'SASL_SSL' : 'SASL_PLAINTEXT';
  return security.tls === true ? 'SSL' : 'PLAINTEXT';
}

function securityProperties(security: Security, certificates: Certificates | undefined): Properties {
  const found: Record<string, string> = {};
  const listener = 'listener.name.clients';
  if (security.tls === true && certificates !== undefined) {
    found[`${listener}.ssl.keystore.type`] = 'PEM';
    found[`${listener}.ssl.keystore.location`] = certificates.brokerFile;
    found[`${listener}.ssl.truststore.type`] = 'PEM';
    found[`${listener}.ssl.truststore.location`] = certificates.caFile;
    found[`${listener}.ssl.client.auth`] = security.clientCertificates === true ? 'required' : 'none';
  }
  if (security.sasl === undefined) return found;
  const { mechanisms, users } = security.sasl;
  found[`${listener}.sasl.enabled.mechanisms`] = mechanisms.join(',');
  for (const mechanism of mechanisms) {
    const key = `${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`;
    // users of SCRAM are in the cluster's metadata, those of PLAIN in the configuration
    const plainUsers = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
    found[key] =
      mechanism === 'PLAIN'
        ? `org.apache.kafka.common.security.plain.PlainLoginModule required ${plainUsers.join(' ')};`
        : 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  }
  return found;
}

/** Arguments for `format` that make the users of SCRAM. */
export function scramArguments(security: Security): string[] {
  const { mechanisms = [], users = {} } = security.sasl ?? {};
  return mechanisms
    .filter((mechanism) => mechanism !== 'PLAIN')
    .flatMap((mechanism) =>
      Object.entries(users).flatMap(([name, password]) => [
        '--add-scram',
        `${mechanism}=[name=${name},password=${password}]`,
      ]),
    );
}

/** The file's text. Nodes talk to each other in the clear on loopback, whatever clients must do. */
export function serverProperties(settings: NodeSettings): string {
  const { node, nodes, dataDirectory, security, certificates, properties } = settings;
  const replicas = nodes.length;
  const inSync = Math.min(2, replicas);
  const protocol = protocolOf(security);
  const secure = protocol !== 'PLAINTEXT';
  const inner = secure ? `,INNER://${HOST}:${node.innerPort}` : '';
  const all: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map((one) => `${one.id}@${HOST}:${one.controllerPort}`).join(','),
    listeners: `CLIENTS://${HOST}:${node.port},CONTROLLER://${HOST}:${node.controllerPort}${inner}`,
    'advertised.listeners': `CLIENTS://${HOST}:${node.port}${inner}`,
    'listener.security.protocol.map': `CLIENTS:${protocol},CONTROLLER:PLAINTEXT,INNER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': secure ? 'INNER' : 'CLIENTS',
    'log.dirs': dataDirectory,
    'num.partitions': 4,
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'group.consumer.min.session.timeout.ms': 1_000,
    'group.consumer.min.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': replicas > 1 ? 6_000 : 2_000,
    'broker.heartbeat.interval.ms': replicas > 1 ? 1_000 : 500,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    ...securityProperties(security, certificates),
    ...properties,
  };
  return `${Object.entries(all)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}
