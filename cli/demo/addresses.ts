/** Where to look while a demo stays up: addresses, and three queries to try. */
import type { RoleAddresses } from '../roles.ts';

/** As it stands in a URL: IPv6 addresses in brackets. */
export const hostPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

export const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `http://${hostPort(host, port)}`;

export function addressesText({ clickhouse, collector, metrics }: RoleAddresses, database: string): string {
  const url = clickhouse?.url ?? '';
  const queries = [
    `SELECT opened, kind, title, client_address, trace_count FROM ${database}.incidents_latest ORDER BY opened DESC LIMIT 10`,
    `SELECT start, operation, client_address, match_text FROM ${database}.verdicts_latest WHERE match_deviation_max > 1 ORDER BY score DESC LIMIT 10`,
    `SELECT service, operation, callers, calls FROM ${database}.inventory ORDER BY calls DESC LIMIT 20`,
  ];
  return [
    'Everything stays up until Ctrl-C.',
    `  ClickHouse   ${url} (user reader, no password; native port ${clickhouse?.tcpPort ?? '–'})`,
    `  OTLP         ${collector === undefined ? '–' : `${urlOf(collector.grpc)} (gRPC), ${urlOf(collector.http)} (HTTP)`}`,
    ...metrics.map(({ name, url: base }) => `  metrics      ${base}/metrics${name === '' ? '' : ` (${name})`}`),
    '',
    'Three queries to try:',
    ...queries.map((query) => `  curl -s '${url}/?user=reader&default_format=PrettyCompact' --data-binary "${query}"`),
  ].join('\n');
}
