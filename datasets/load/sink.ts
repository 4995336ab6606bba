/** An OTLP/gRPC endpoint that hands the bytes of each export on and keeps nothing: to record the shop without Spanwarden. */
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface Sink {
  readonly port: number;
  stop(): Promise<void>;
}

export function startSink(onExport: (request: Buffer) => void): Promise<Sink> {
  const server = new Server({ 'grpc.max_receive_message_length': 64 * 1_048_576 });
  server.register<Buffer, Buffer>(
    EXPORT,
    (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      onExport(call.request);
      callback(null, Buffer.alloc(0));
    },
    (value) => value,
    (value) => value,
    'unary',
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) reject(error);
      else resolve({ port, stop: () => new Promise((done) => server.tryShutdown(() => done())) });
    });
  });
}
