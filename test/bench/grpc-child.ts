/** The reference for collector.bench.ts: a grpc-js server that takes the same bytes and does nothing with them. */
import * as grpc from '@grpc/grpc-js';

const asIs = (bytes: Buffer): Buffer => bytes;
const server = new grpc.Server({ 'grpc.max_receive_message_length': 20 * 1_048_576 });
server.addService(
  {
    Export: {
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
  {
    Export: (_call: unknown, answer: grpc.sendUnaryData<Buffer>) => answer(null, Buffer.alloc(0)),
  },
);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send!({ port });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!({ cpuSeconds: (user + system) / 1e6, rssBytes: process.memoryUsage.rss(), spans: -1 });
});
process.on('disconnect', () => process.exit(0));
