/**
 * Response in a process: the core where this process owns the findings, the list that is handed out, and the server that hands it
 * out. Without the findings the list is read from ClickHouse every few seconds; while that is away, the last list stands.
 */
import type { HttpAddress } from '../../runtime/http/server.ts';
import type { Service } from '../../runtime/lifecycle/service.ts';
import type { Logger } from '../../runtime/telemetry/logger.ts';
import type { Metrics } from '../../runtime/telemetry/metrics.ts';
import type { Decision } from '../../schemas/alerts/decision.ts';
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import type { ResponseConfig } from '../../schemas/config/response.ts';
import { createDecisionCore, type DecisionCore, type DecisionSnapshot } from './core.ts';
import { createGatewayAttribution } from './gateway.ts';
import { createServed } from './served.ts';
import { createResponseServer, type ResponseServer } from './server.ts';

export interface ResponseDeps {
  /** Enforced decisions, and those that ended since: newest rows. */
  decisionsEndingAfter(sinceMs: number): Promise<readonly Decision[]>;
  /** A user as records name it; '' = hidden. */
  redactUser(user: string): string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
}

export interface Response extends Service<HttpAddress> {
  /** What another process, or an earlier run, stored. */
  stored(): Promise<readonly Decision[]>;
  /**
   * This process owns the findings now: it decides by itself, also about what is in force by `stored`. `record` takes the rows.
   * While response is off it ends what is in force, and nothing else.
   */
  own(snapshot: unknown, stored: readonly Decision[], record: (decision: Decision) => void): DecisionCore;
  /** It does not any more. */
  disown(): void;
  readonly server: ResponseServer;
  status(): ResponseStatus;
}

export interface ResponseStatus {
  readonly mode: ResponseConfig['mode'];
  readonly inForce: number;
  readonly url: string;
}

const isEnded = ({ state }: Decision): boolean => state === 'undone' || state === 'expired';

/** Rows of decisions that ended so long ago are still read: bouncers are told that they did. */
const ENDED_MS = 3_600_000;

export function createResponse(
  config: { readonly response: ResponseConfig; readonly attribution: AttributionConfig },
  deps: ResponseDeps,
): Response {
  const { logger, metrics, now } = deps;
  // users are decided about as records name them, which redaction may have changed
  const allowUsers = config.response.allowUsers.flatMap((user) => [user, deps.redactUser(user)]);
  const response: ResponseConfig = { ...config.response, allowUsers };
  const decided = metrics.counter('response_decisions_total', 'Decisions by what became of them, and by scope');
  const reads = metrics.counter('response_reads_total', 'Reads of decisions that another process made, by result');
  const stopCounting = [
    metrics.observedCounter('response_refusals_unkept_total', 'Refusals beyond those of which rows are kept', () => [
      [owned?.counts().unkeptRefusals ?? 0, {}],
    ]),
    metrics.observedCounter(
      'response_cases_forgotten_total',
      'Clients of open incidents forgotten for newer ones: nothing more is decided about them',
      () => [[owned?.counts().forgottenCases ?? 0, {}]],
    ),
  ];
  const served = createServed(now);
  const server = createResponseServer(response, {
    served,
    attribution: createGatewayAttribution(config.attribution),
    redactUser: deps.redactUser,
    logger,
    metrics,
    now,
  });
  let owned: DecisionCore | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let away = false;
  let address = '';

  /** Bouncers hold what they were told until they hear of its end: ends go out whatever the mode is by now. */
  const handOut = (decisions: readonly Decision[]): void =>
    served.put(response.mode === 'enforce' ? decisions : decisions.filter(isEnded));
  /** While it is off there is a port for those who have keys: for ends. */
  const listens = response.mode !== 'off' || response.keys.length > 0;
  const stored = (): Promise<readonly Decision[]> => deps.decisionsEndingAfter(now() - ENDED_MS);

  async function read(): Promise<void> {
    try {
      handOut(await stored());
      reads.add(1, { result: 'read' });
      if (away) logger.info('decisions can be read again');
      away = false;
    } catch (error) {
      reads.add(1, { result: 'failed' });
      if (!away) logger.warn({ err: error }, 'decisions cannot be read: those known stay in force until they end');
      away = true;
    }
  }

  async function poll(): Promise<void> {
    if (owned === undefined) await read();
    if (!stopping) timer = setTimeout(() => void poll(), response.pollMs);
  }

  return {
    name: 'response',
    server,
    stored,
    async start() {
      if (!listens) return { host: '', port: 0, url: '' };
      if (response.keys.length === 0) logger.warn('nobody may ask for decisions: response.keys is empty');
      const bound = await server.start();
      address = bound.url;
      logger.info({ url: bound.url, mode: response.mode }, 'response listens');
      void poll();
      return bound;
    },
    async stop(deadlineMs) {
      stopping = true;
      clearTimeout(timer);
      for (const stop of stopCounting) stop();
      await server.stop(deadlineMs);
    },
    own(snapshot, rows, record) {
      const core = createDecisionCore(
        { response, attribution: config.attribution },
        (decision, wasEnforced) => {
          decided.add(1, { state: decision.state, scope: decision.scope });
          logger.info(
            {
              decision: decision.id,
              incident: decision.incidentId,
              state: decision.state,
              scope: decision.scope,
              target: decision.target,
              reason: decision.reason,
            },
            'decision',
          );
          record(decision);
          // nobody was told of what was simulated
          if (response.mode === 'enforce' || wasEnforced) handOut([decision]);
        },
        (snapshot ?? undefined) as DecisionSnapshot | undefined,
        rows,
      );
      // ends too: whoever asks next may not have heard of them
      const sinceMs = now() - ENDED_MS;
      handOut([...rows, ...core.all()].filter(({ expiresMs }) => expiresMs > sinceMs));
      owned = core;
      return core;
    },
    disown() {
      owned = undefined;
    },
    status: () => ({ mode: response.mode, inForce: owned?.inForce().length ?? served.all().length, url: address }),
  };
}
