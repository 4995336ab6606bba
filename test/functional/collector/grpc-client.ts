/** Calls the collector with grpc-js, a gRPC implementation that is not ours, with bytes in and bytes out. */
import * as grpc from '@grpc/grpc-js';

export const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface GrpcAnswer {
  readonly code: number;
  readonly details: string;
  /** Response message; empty on errors. */
  readonly body: Buffer;
  /** grpc-status-details-bin, when there is one. */
  readonly statusDetails: Buffer | undefined;
  /** grpc-accept-encoding of the response. */
  readonly acceptEncoding: string;
}

export interface GrpcClient {
  export(body: Buffer, options?: { gzip?: boolean; path?: string }): Promise<GrpcAnswer>;
  close(): void;
}

const asIs = (bytes: Buffer): Buffer => bytes;

export function createGrpcClient(target: string): GrpcClient {
  const open = (gzip: boolean): grpc.Client =>
    new grpc.Client(target, grpc.credentials.createInsecure(), {
      'grpc.max_send_message_length': -1,
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
      ...(gzip ? { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip } : {}),
    });
  const plain = open(false);
  const compressed = open(true);
  return {
    export: (body, options = {}) =>
      new Promise((resolve) => {
        let acceptEncoding = '';
        const call = (options.gzip ? compressed : plain).makeUnaryRequest(
          options.path ?? EXPORT,
          asIs,
          asIs,
          body,
          (error, response) => {
            const details = error?.metadata?.get('grpc-status-details-bin')[0];
            if (error !== null)
              acceptEncoding = String(error.metadata?.get('grpc-accept-encoding')[0] ?? acceptEncoding);
            resolve({
              code: error?.code ?? 0,
              details: error?.details ?? '',
              body: response ?? Buffer.alloc(0),
              statusDetails: Buffer.isBuffer(details) ? details : undefined,
              acceptEncoding,
            });
          },
        );
        call.on('metadata', (metadata) => {
          acceptEncoding = String(metadata.get('grpc-accept-encoding')[0] ?? '');
        });
      }),
    close() {
      plain.close();
      compressed.close();
    },
  };
}
