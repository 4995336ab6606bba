/** OTLP/gRPC clients of a bench: several connections with several requests in flight on each. */
import * as grpc from '@grpc/grpc-js';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const CONNECTIONS = 4;
const IN_FLIGHT = 2;
const asIs = (bytes: Buffer): Buffer => bytes;

export interface GrpcSender {
  /** Sends `count` requests, the bodies in turn; rejects when one is not acknowledged whole. */
  send(bodies: readonly Buffer[], count: number): Promise<void>;
  close(): void;
}

export function createGrpcSender(port: number): GrpcSender {
  const clients = Array.from(
    { length: CONNECTIONS },
    () =>
      new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
      }),
  );
  const one = (client: grpc.Client, body: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(EXPORT, asIs, asIs, body, (error, answer) => {
        if (error) reject(error);
        // an empty message, or one without a partial success: everything was taken
        else if (answer !== undefined && answer.length > 2) reject(new Error('spans were rejected'));
        else resolve();
      });
    });
  return {
    async send(bodies, count) {
      let next = 0;
      await Promise.all(
        clients.flatMap((client) =>
          Array.from({ length: IN_FLIGHT }, async () => {
            while (next < count) await one(client, bodies[next++ % bodies.length]!);
          }),
        ),
      );
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}
