/**
 * Tags of OpenTracing (its semantic_conventions.md) and of Zipkin's Brave under the names that OpenTelemetry has for them,
 * beside the original: what nobody reads cannot be learned. What a span already says under the new name stands.
 */
import { isIP } from 'node:net';
import { type AnyValue, Kind, text } from './otlp-shape.ts';

const NAMES: readonly (readonly [from: string, to: string])[] = [
  ['http.path', 'url.path'],
  ['sql.query', 'db.query.text'],
  ['cassandra.query', 'db.query.text'],
  ['cassandra.keyspace', 'db.namespace'],
  ['db.instance', 'db.namespace'],
  ['message_bus.destination', 'messaging.destination.name'],
  ['kafka.topic', 'messaging.destination.name'],
  ['rabbit.queue', 'messaging.destination.name'],
  ['rabbit.exchange', 'messaging.destination.name'],
  ['jms.queue', 'messaging.destination.name'],
  ['jms.topic', 'messaging.destination.name'],
  ['kafka.key', 'messaging.kafka.message.key'],
  ['grpc.status_code', 'rpc.response.status_code'],
];

/** A tag that tells by being there which system is called. */
const SYSTEMS: readonly (readonly [tag: string, attribute: string, system: string])[] = [
  ['cassandra.query', 'db.system.name', 'cassandra'],
  ['kafka.topic', 'messaging.system', 'kafka'],
  ['rabbit.queue', 'messaging.system', 'rabbitmq'],
  ['rabbit.exchange', 'messaging.system', 'rabbitmq'],
  ['jms.queue', 'messaging.system', 'jms'],
  ['jms.topic', 'messaging.system', 'jms'],
];

/** Old names that say the same as a new one: nothing is added beside them (CONVENTIONS "Semantic conventions"). */
const SAID_BY: Readonly<Record<string, readonly string[]>> = {
  'url.path': ['http.target', 'url.full', 'http.url'],
  'db.query.text': ['db.statement'],
  'db.namespace': ['db.name'],
  'db.system.name': ['db.system'],
  'messaging.destination.name': ['messaging.destination'],
  'rpc.response.status_code': ['rpc.status_code', 'rpc.grpc.status_code'],
  'network.peer.address': ['net.sock.peer.addr', 'net.peer.ip'],
  'network.peer.port': ['net.sock.peer.port', 'net.peer.port'],
  'server.address': ['net.peer.name', 'url.full', 'http.url', 'http.host'],
  'server.port': ['net.peer.port', 'url.full', 'http.url', 'http.host'],
  'client.address': ['http.client_ip', 'net.peer.name'],
  'peer.service': ['service.peer.name'],
};

/** Adds to `attributes` of a span of `kind`. */
export function addKnownNames(attributes: Map<string, AnyValue>, kind: number): void {
  if (attributes.size === 0) return;
  for (const [from, to] of NAMES) {
    const value = attributes.get(from);
    if (value !== undefined) addAttribute(attributes, to, value);
  }
  for (const [tag, attribute, system] of SYSTEMS) {
    if (attributes.has(tag)) addAttribute(attributes, attribute, text(system));
  }
  const type = stringOf(attributes.get('db.type'));
  // OpenTracing: "sql" for any SQL database, else its name
  if (type !== '') addAttribute(attributes, 'db.system.name', text(type === 'sql' ? 'other_sql' : type));
  addPeer(attributes, kind);
}

/** Sets an attribute unless the span says it already, under this name or an older one. */
export function addAttribute(attributes: Map<string, AnyValue>, key: string, value: AnyValue): void {
  if (attributes.has(key)) return;
  for (const older of SAID_BY[key] ?? []) if (attributes.has(older)) return;
  attributes.set(key, value);
}

function addPeer(attributes: Map<string, AnyValue>, kind: number): void {
  const ip =
    ipv4Of(attributes.get('peer.ipv4')) ?? ipOf(attributes.get('peer.ipv6')) ?? ipOf(attributes.get('peer.address'));
  if (ip !== undefined) addAttribute(attributes, 'network.peer.address', text(ip));
  const port = attributes.get('peer.port');
  if (port !== undefined) addAttribute(attributes, 'network.peer.port', port);
  const host = stringOf(attributes.get('peer.hostname'));
  if (host === '') return;
  // a consumer's peer is the broker, which it calls
  if (kind === Kind.server) addAttribute(attributes, 'client.address', text(host));
  else if (kind !== Kind.unknown && kind !== Kind.internal) addAttribute(attributes, 'server.address', text(host));
}

const stringOf = (value: AnyValue | undefined): string =>
  value !== undefined && 'stringValue' in value ? value.stringValue : '';

function ipOf(value: AnyValue | undefined): string | undefined {
  const address = stringOf(value);
  return isIP(address) === 0 ? undefined : address;
}

/** OpenTracing has it as a text or as a 32-bit integer, which some libraries write as a signed one. */
function ipv4Of(value: AnyValue | undefined): string | undefined {
  if (value === undefined || !('intValue' in value)) return ipOf(value);
  const number = Number(value.intValue);
  if (!(number >= -0x80000000 && number <= 0xffffffff)) return undefined;
  const bits = number >>> 0;
  return [bits >>> 24, (bits >>> 16) & 0xff, (bits >>> 8) & 0xff, bits & 0xff].join('.');
}
