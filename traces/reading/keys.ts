/**
 * Which attributes matter to scoring, and how they are recognised: by a few bytes of the key and a comparison, never by a
 * string. Old and new semantic-convention names of one thing share an id (CONVENTIONS "Semantic conventions"); the new
 * name wins where a span carries both.
 */

/** Slots of `AttributeSlots`. */
export const Attribute = {
  httpMethod: 0,
  httpStatus: 1,
  urlFull: 2,
  urlPath: 3,
  urlQuery: 4,
  /** Old: path and query in one. */
  httpTarget: 5,
  httpRoute: 6,
  urlTemplate: 7,
  urlScheme: 8,
  serverAddress: 9,
  serverPort: 10,
  /** Old: host with an optional port. */
  httpHost: 11,
  networkPeerAddress: 12,
  clientAddress: 13,
  /** Old: the other side; server.address in a client span, client.address in a server span. */
  netPeerName: 14,
  netPeerPort: 15,
  userAgent: 16,
  rpcSystem: 17,
  rpcService: 18,
  rpcMethod: 19,
  rpcStatus: 20,
  dbSystem: 21,
  dbSummary: 22,
  dbOperation: 23,
  dbCollection: 24,
  dbNamespace: 25,
  dbText: 26,
  messagingSystem: 27,
  messagingDestination: 28,
  messagingTemplate: 29,
  messagingOperation: 30,
  messagingTemporary: 31,
  messagingAnonymous: 32,
  messagingKey: 33,
  servicePeer: 34,
  graphqlType: 35,
  graphqlName: 36,
  graphqlDocument: 37,
  responseSize: 38,
  user: 39,
  session: 40,
  serviceName: 41,
  serviceVersion: 42,
  networkPeerPort: 43,
  /** Name or mail address of a user. */
  account: 44,
  /** The socket peer as Envoy names it. */
  peerAddress: 45,
  /** Prefix families: the rest of the key names the parameter. */
  header: 46,
  body: 47,
  rpcArgument: 48,
  messageHeader: 49,
  graphqlVariable: 50,
  responseHeader: 51,
} as const;
export type Attribute = (typeof Attribute)[keyof typeof Attribute];
export const ATTRIBUTE_COUNT = 52;

/** Key, slot, rank; of two names of one slot the higher rank wins. */
const KEYS: readonly (readonly [string, Attribute, number])[] = [
  ['http.request.method', Attribute.httpMethod, 1],
  ['http.method', Attribute.httpMethod, 0],
  ['http.response.status_code', Attribute.httpStatus, 1],
  ['http.status_code', Attribute.httpStatus, 0],
  ['url.full', Attribute.urlFull, 1],
  ['http.url', Attribute.urlFull, 0],
  ['url.path', Attribute.urlPath, 1],
  ['url.query', Attribute.urlQuery, 1],
  ['http.target', Attribute.httpTarget, 0],
  ['http.route', Attribute.httpRoute, 1],
  ['url.template', Attribute.urlTemplate, 1],
  ['url.scheme', Attribute.urlScheme, 1],
  ['http.scheme', Attribute.urlScheme, 0],
  ['server.address', Attribute.serverAddress, 1],
  ['net.host.name', Attribute.serverAddress, 0],
  ['server.port', Attribute.serverPort, 1],
  ['net.host.port', Attribute.serverPort, 0],
  ['http.host', Attribute.httpHost, 0],
  ['network.peer.address', Attribute.networkPeerAddress, 3],
  ['client.socket.address', Attribute.networkPeerAddress, 2],
  ['net.sock.peer.addr', Attribute.networkPeerAddress, 1],
  ['net.peer.ip', Attribute.networkPeerAddress, 0],
  ['network.peer.port', Attribute.networkPeerPort, 1],
  ['net.sock.peer.port', Attribute.networkPeerPort, 0],
  ['peer.address', Attribute.peerAddress, 0],
  ['client.address', Attribute.clientAddress, 1],
  ['http.client_ip', Attribute.clientAddress, 0],
  ['net.peer.name', Attribute.netPeerName, 0],
  ['net.peer.port', Attribute.netPeerPort, 0],
  ['user_agent.original', Attribute.userAgent, 1],
  ['http.user_agent', Attribute.userAgent, 0],
  ['rpc.system.name', Attribute.rpcSystem, 1],
  ['rpc.system', Attribute.rpcSystem, 0],
  ['rpc.service', Attribute.rpcService, 0],
  ['rpc.method', Attribute.rpcMethod, 1],
  ['rpc.response.status_code', Attribute.rpcStatus, 2],
  ['rpc.status_code', Attribute.rpcStatus, 1],
  ['rpc.grpc.status_code', Attribute.rpcStatus, 0],
  ['rpc.connect_rpc.error_code', Attribute.rpcStatus, 0],
  ['db.system.name', Attribute.dbSystem, 1],
  ['db.system', Attribute.dbSystem, 0],
  ['db.query.summary', Attribute.dbSummary, 1],
  ['db.operation.name', Attribute.dbOperation, 1],
  ['db.operation', Attribute.dbOperation, 0],
  ['db.collection.name', Attribute.dbCollection, 2],
  ['db.sql.table', Attribute.dbCollection, 1],
  ['db.mongodb.collection', Attribute.dbCollection, 0],
  ['db.namespace', Attribute.dbNamespace, 1],
  ['db.name', Attribute.dbNamespace, 0],
  ['db.query.text', Attribute.dbText, 1],
  ['db.statement', Attribute.dbText, 0],
  ['messaging.system', Attribute.messagingSystem, 1],
  ['messaging.destination.name', Attribute.messagingDestination, 1],
  ['messaging.destination', Attribute.messagingDestination, 0],
  ['messaging.destination.template', Attribute.messagingTemplate, 1],
  ['messaging.operation.type', Attribute.messagingOperation, 2],
  ['messaging.operation.name', Attribute.messagingOperation, 1],
  ['messaging.operation', Attribute.messagingOperation, 0],
  ['messaging.destination.temporary', Attribute.messagingTemporary, 1],
  ['messaging.destination.anonymous', Attribute.messagingAnonymous, 1],
  ['messaging.kafka.message.key', Attribute.messagingKey, 0],
  ['service.peer.name', Attribute.servicePeer, 1],
  ['peer.service', Attribute.servicePeer, 0],
  ['graphql.operation.type', Attribute.graphqlType, 1],
  ['graphql.operation.name', Attribute.graphqlName, 1],
  ['graphql.document', Attribute.graphqlDocument, 1],
  ['graphql.source', Attribute.graphqlDocument, 0],
  ['http.response.body.size', Attribute.responseSize, 2],
  ['http.response_content_length', Attribute.responseSize, 1],
  ['user.id', Attribute.user, 1],
  ['enduser.id', Attribute.user, 0],
  ['user.name', Attribute.account, 1],
  ['user.email', Attribute.account, 0],
  ['session.id', Attribute.session, 1],
  ['service.name', Attribute.serviceName, 1],
  ['service.version', Attribute.serviceVersion, 1],
];

const PREFIXES: readonly (readonly [string, Attribute])[] = [
  ['http.request.header.', Attribute.header],
  ['http.response.header.', Attribute.responseHeader],
  ['http.request.body.', Attribute.body],
  ['rpc.grpc.request.metadata.', Attribute.header],
  ['rpc.connect_rpc.request.metadata.', Attribute.header],
  ['rpc.request.metadata.', Attribute.header],
  ['rpc.request.', Attribute.rpcArgument],
  ['messaging.header.', Attribute.messageHeader],
  ['messaging.message.header.', Attribute.messageHeader],
  ['graphql.variables.', Attribute.graphqlVariable],
  ['graphql.variable.', Attribute.graphqlVariable],
];

export interface KeyTable {
  /** Slot of the key, −1 when it does not matter; sets `rank` and `nameStart` (a prefix family's rest). */
  recognise(bytes: Uint8Array, start: number, end: number): number;
  rank: number;
  nameStart: number;
}

const BUCKETS = 1024;

/** A few bytes tell known keys well apart; the comparison decides. */
function bucketOf(bytes: Uint8Array, start: number, length: number): number {
  const h =
    Math.imul(length, 0x9e3779b1) ^
    Math.imul(bytes[start + length - 1]! | (bytes[start + (length >> 1)]! << 8), 0x85ebca6b) ^
    Math.imul(bytes[start + length - 3]! | (bytes[start + (length >> 2)]! << 8), 0xc2b2ae35);
  return (h ^ (h >>> 15)) & (BUCKETS - 1);
}

export function createKeyTable(): KeyTable {
  const encoder = new TextEncoder();
  const keys = KEYS.map(([text]) => encoder.encode(text));
  const prefixes = PREFIXES.map(([text]) => encoder.encode(text));
  /** Key + 1 by bucket, then a chain. */
  const first = new Int16Array(BUCKETS);
  const next = new Int16Array(KEYS.length);
  for (let i = 0; i < keys.length; i++) {
    const bucket = bucketOf(keys[i]!, 0, keys[i]!.length);
    next[i] = first[bucket]!;
    first[bucket] = i + 1;
  }
  const slotOf = Uint8Array.from(KEYS, ([, slot]) => slot);
  const rankOf = Uint8Array.from(KEYS, ([, , rank]) => rank);

  const startsWith = (bytes: Uint8Array, start: number, wanted: Uint8Array): boolean => {
    for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
    return true;
  };

  const table: KeyTable = {
    rank: 0,
    nameStart: 0,
    recognise(bytes, start, end) {
      const length = end - start;
      if (length < 7) return -1;
      for (let at = first[bucketOf(bytes, start, length)]!; at !== 0; at = next[at - 1]!) {
        const key = keys[at - 1]!;
        if (key.length === length && startsWith(bytes, start, key)) {
          table.rank = rankOf[at - 1]!;
          return slotOf[at - 1]!;
        }
      }
      const initial = bytes[start]!;
      // h, r, m, g: the first letters of the prefix families.
      if (length < 14 || (initial !== 0x68 && initial !== 0x72 && initial !== 0x6d && initial !== 0x67)) return -1;
      for (let i = 0; i < prefixes.length; i++) {
        const prefix = prefixes[i]!;
        if (length > prefix.length && startsWith(bytes, start, prefix)) {
          table.nameStart = start + prefix.length;
          return PREFIXES[i]![1];
        }
      }
      return -1;
    },
  };
  return table;
}
