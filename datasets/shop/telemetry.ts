/** Starts OpenTelemetry for one service as its documentation says: SDK first, then whatever is to be instrumented. */

import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { KafkaJsInstrumentation } from '@opentelemetry/instrumentation-kafkajs';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';

export interface Telemetry {
  stop(): Promise<void>;
}

/** All that proxies of this world use: what is captured is not what is believed. */
const WHO_ASKS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'true-client-ip', 'cf-connecting-ip'] as const;

/** Service name, endpoint and export delay come from the standard OTEL_ variables, which the SDK reads itself. */
export function startTelemetry(options: { readonly edge: boolean }): Telemetry {
  const sdk = new NodeSDK({
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [
      new HttpInstrumentation(
        // Header capture is opt-in: without it nobody behind a proxy can tell who the client is.
        options.edge ? { headersToSpanAttributes: { server: { requestHeaders: [...WHO_ASKS] } } } : {},
      ),
      new GrpcInstrumentation(),
      new KafkaJsInstrumentation(),
      // Idle polling and pool waits are no part of a request.
      new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
    ],
  });
  sdk.start();
  return { stop: () => sdk.shutdown() };
}
