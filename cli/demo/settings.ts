/** The configuration of a demo: the `demo` profile, loopback, free ports, data in one directory. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export interface DemoSettings {
  readonly directory: string;
  readonly receiverUrl: string;
  readonly secret: string;
  readonly trustedProxies: readonly string[];
  readonly ports: {
    readonly grpc: number;
    readonly http: number;
    readonly clickhouse: number;
    readonly metrics: number;
  };
  readonly absenceGraceMs: number;
  readonly originWaitMs: number;
  readonly kafka?: { readonly brokers: readonly string[]; readonly prefix: string } | undefined;
  readonly logLevel: string;
}

export const newSecret = (): string => `whsec_${randomBytes(24).toString('base64')}`;

/** Overrides by path, as loadConfig takes them. */
export const demoOverrides = (settings: DemoSettings): Record<string, unknown> => ({
  'log.kind': 'embedded',
  ...(settings.kafka !== undefined && {
    'kafka.brokers': settings.kafka.brokers,
    'kafka.topicPrefix': settings.kafka.prefix,
  }),
  'log.directory': join(settings.directory, 'log'),
  'log.spansPartitions': settings.kafka === undefined ? 2 : 4,
  'clickhouse.url': '',
  'clickhouse.embedded.directory': join(settings.directory, 'clickhouse'),
  'clickhouse.embedded.httpPort': settings.ports.clickhouse,
  'clickhouse.embedded.fsync': false,
  'collector.grpcPort': settings.ports.grpc,
  'collector.httpPort': settings.ports.http,
  'http.port': settings.ports.metrics,
  'console.port': 0,
  'console.directory': join(settings.directory, 'console'),
  'assembly.absenceGraceMs': settings.absenceGraceMs,
  'assembly.graceMs': 1_500,
  'detector.originWaitMs': settings.originWaitMs,
  'attribution.trustedProxies': settings.trustedProxies,
  'learning.profile': 'demo',
  'incidents.softIncidents': false,
  'response.mode': 'simulate',
  'response.port': 0,
  // also what was merged: one story is one incident
  'alerts.destinations': [{ name: 'demo', url: settings.receiverUrl, secret: settings.secret, resolve: true }],
  'telemetry.level': settings.logLevel,
});
