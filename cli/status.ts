/** `spanwarden status`: is it working? Asks the HTTP server of the running roles. */
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { SpanwardenError } from '../runtime/errors.ts';
import type { BudgetState } from '../schemas/alerts/budget.ts';
import { unsaidForwarding } from '../schemas/config/attribution.ts';
import type { Config } from '../schemas/config/index.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import type { RolesStatus } from './roles.ts';

export const status: Command = {
  summary: 'show whether it works: spans in, clients resolved, what is learning, lag, last alert',
  help: `
usage: spanwarden status [--url URL] [--json] [--config FILE]

--url URL       HTTP server of the running roles (default: http.host and http.port of the configuration)
--json          the answer as it came
--config FILE   the YAML file
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      url: { type: 'string' },
      json: { type: 'boolean' },
      config: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`status takes no '${positionals[0]}'`);
    const { http, response, attribution } = loadConfig({ file: values.config, env: processEnvironment() });
    const url = (values.url ?? `http://${http.host}:${http.port}`).replace(/\/$/, '');
    const answer = await fetch(`${url}/status`, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
      throw new SpanwardenError(
        'STOPPED',
        `nothing answers at ${url}: start it with 'spanwarden run', or name it with --url`,
        { cause },
      );
    });
    if (!answer.ok) throw new SpanwardenError('STOPPED', `${url}/status answered ${answer.status}`);
    const said = (await answer.json()) as RolesStatus;
    // what runs elsewhere has a configuration of its own
    const text = [
      textOf(said, Date.now()),
      ...(values.url === undefined ? unsaidLines({ response, attribution }) : []),
    ].join('\n');
    process.stdout.write(values.json === true ? `${JSON.stringify(said)}\n` : `${text}\n`);
    return ExitCode.ok;
  },
};

/** What is missing for response, which would be refused at start where it enforces. */
export const unsaidLines = ({ response, attribution }: Pick<Config, 'response' | 'attribution'>): readonly string[] =>
  (response.mode === 'off' ? [] : unsaidForwarding(attribution)).map(
    (path) =>
      `response      ${path.join('.')} must be set: with auto one more header keeps a client from being decided about`,
  );

const count = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Below this share of traffic with a known client, people are told how to turn header capture on. */
const RESOLVED_ENOUGH = 0.95;

function textOf({ collector, detector, trainer, responder, console }: RolesStatus, nowMs: number): string {
  const lines: string[] = [];
  if (collector !== undefined) lines.push(`spans in      ${count(collector.spansAccepted)} accepted since start`);
  if (detector !== undefined) {
    lines.push(
      `judged        ${count(detector.segments)} requests, ${count(detector.spans)} spans, lag ${count(detector.lag)} records (largest partition ${count(detector.largestLag)})`,
    );
    lines.push(`clients       ${percent(detector.clientsResolved)} resolved`);
    if (detector.segments > 0 && detector.clientsResolved < RESOLVED_ENOUGH) {
      lines.push(
        '              the edge service must send network.peer.address and, behind proxies, its X-Forwarded-For header:',
        '              OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS=x-forwarded-for or the option of your SDK,',
        '              and attribution.trustedProxies must list your own proxies: docs/attribution.md',
      );
    }
    lines.push(`alerts        ${detector.alerting ? `on, baseline ${detector.version}` : 'not yet: still learning'}`);
    if (detector.alertOnly) lines.push('ClickHouse    away: alerts go on, spans are stored when it is back');
  }
  if (trainer !== undefined) {
    const { segments, clients, buckets } = trainer.progress;
    lines.push(`learning      ${count(segments)} requests, ${count(clients)} clients, ${count(buckets)} time buckets`);
    for (const missing of trainer.learning) lines.push(`              still missing: ${missing}`);
  }
  if (responder !== undefined) {
    const last =
      responder.lastAlertMs === 0
        ? 'none since start'
        : `${count(Math.round((nowMs - responder.lastAlertMs) / 1000))} s ago`;
    lines.push(
      `incidents     ${count(responder.openIncidents)} open, ${count(responder.pendingDeliveries)} deliveries pending, last alert ${last}`,
    );
    if (responder.budget !== null) lines.push(budgetLine(responder.budget));
  }
  if (console !== undefined) lines.push(`console       ${console.url}`);
  return lines.join('\n');
}

/** Target and realised rate of false alerts. */
function budgetLine({
  targetPerDay,
  threshold,
  drift,
  driftNominal,
  expectedLastDay,
  softLastDay,
}: BudgetState): string {
  if (threshold === 0) return `budget        ${targetPerDay} false alerts a day; nothing judged yet`;
  const kept =
    driftNominal === 0
      ? 'not measured yet'
      : `${drift.toFixed(1)}× as promised at ${driftNominal}, median of recent hours`;
  return `budget        ${targetPerDay} false alerts a day, chance caused ${expectedLastDay.toFixed(1)} in the last; told at p ≤ ${threshold.toExponential(1)}, ${softLastDay} so in the last day; p is ${kept}`;
}
