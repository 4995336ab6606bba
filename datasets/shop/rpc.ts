/** The shop's gRPC: contracts, servers and clients. Messages are JSON; the wire, status codes and metadata are gRPC's. */
import type { Client, ServiceDefinition, ServiceError } from '@grpc/grpc-js';
import { grpc } from './instrumented.ts';

export interface Session {
  readonly account: number;
  readonly role: string;
}

export interface AuthApi {
  Login: { request: { email: string; password: string }; response: Session & { token: string } };
  CheckSession: { request: { token: string }; response: Session };
  Authorize: { request: { account: number; action: string; order?: number }; response: { allowed: boolean } };
  GetAccount: { request: { account: number }; response: { email: string; avatar: string | null; card: string } };
  SetAvatar: { request: { account: number; url: string }; response: { job: number } };
}

export interface InventoryApi {
  GetStock: { request: { product: number }; response: { quantity: number } };
  Reserve: { request: { product: number; quantity: number }; response: { left: number } };
  Restock: { request: { products: number[]; quantity: number }; response: { changed: number } };
}

export interface PaymentApi {
  Charge: {
    request: { order: string; account: number; cents: number; card: string; attempt: number };
    response: { payment: number };
  };
  ListCards: { request: { account: number }; response: { cards: string[] } };
}

export interface Apis {
  auth: AuthApi;
  inventory: InventoryApi;
  payment: PaymentApi;
}

const METHODS: { readonly [S in keyof Apis]: readonly (keyof Apis[S] & string)[] } = {
  auth: ['Login', 'CheckSession', 'Authorize', 'GetAccount', 'SetAvatar'],
  inventory: ['GetStock', 'Reserve', 'Restock'],
  payment: ['Charge', 'ListCards'],
};

/** `auth` → `shop.auth.v1.Auth`. */
const fullName = (service: keyof Apis): string => `shop.${service}.v1.${service[0]!.toUpperCase()}${service.slice(1)}`;

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const decode = (bytes: Buffer): unknown => JSON.parse(bytes.toString('utf8'));

function definitionOf(service: keyof Apis): ServiceDefinition {
  return Object.fromEntries(
    METHODS[service].map((method) => [
      method,
      {
        path: `/${fullName(service)}/${method}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: encode,
        requestDeserialize: decode,
        responseSerialize: encode,
        responseDeserialize: decode,
        originalName: method,
      },
    ]),
  );
}

/** A failure with a gRPC status. */
export class RpcFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type RpcHandlers<A> = {
  readonly [M in keyof A]: A[M] extends { request: infer Q; response: infer R } ? (request: Q) => Promise<R> : never;
};

/** Serves on loopback, on a free port. */
export function serveRpc<S extends keyof Apis>(
  service: S,
  handlers: RpcHandlers<Apis[S]>,
): Promise<{ port: number; stop(): Promise<void> }> {
  const server = new grpc.Server();
  const implementation: Record<
    string,
    (call: { request: unknown }, callback: (error: Partial<ServiceError> | null, value?: unknown) => void) => void
  > = {};
  for (const method of METHODS[service]) {
    const handler = handlers[method] as (request: unknown) => Promise<unknown>;
    implementation[method] = (call, callback) => {
      handler(call.request).then(
        (value) => callback(null, value),
        (error: unknown) =>
          callback({
            code: error instanceof RpcFailure ? error.code : grpc.status.INTERNAL,
            message: error instanceof Error ? error.message : 'failed',
          }),
      );
    };
  }
  server.addService(definitionOf(service), implementation);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(error);
      else
        resolve({
          port,
          stop: () => new Promise((done) => server.tryShutdown(() => done())),
        });
    });
  });
}

/** Calls one method; rejects with an RpcFailure. */
export type RpcCaller<A> = <M extends keyof A & string>(
  method: M,
  request: A[M] extends { request: infer Q } ? Q : never,
) => Promise<A[M] extends { response: infer R } ? R : never>;

const DEADLINE_MS = 15_000;

export function createRpcCaller<S extends keyof Apis>(service: S, port: number): RpcCaller<Apis[S]> {
  const ClientOf = grpc.makeGenericClientConstructor(definitionOf(service), fullName(service));
  const client = new ClientOf(`127.0.0.1:${port}`, grpc.credentials.createInsecure()) as Client &
    Record<
      string,
      (request: unknown, options: object, callback: (error: ServiceError | null, value: unknown) => void) => unknown
    >;
  return (method, request) =>
    new Promise((resolve, reject) => {
      client[method]!(request, { deadline: Date.now() + DEADLINE_MS }, (error, value) => {
        if (error === null) resolve(value as never);
        else reject(new RpcFailure(error.code, error.details));
      });
    });
}
