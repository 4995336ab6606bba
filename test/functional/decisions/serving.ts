/** A response server on loopback, with decisions put in by a test and a clock that a test moves. */
import { createGatewayAttribution } from '../../../responder/decisions/gateway.ts';
import { createServed, type Served } from '../../../responder/decisions/served.ts';
import { createResponseServer } from '../../../responder/decisions/server.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics, type Metrics } from '../../../runtime/telemetry/metrics.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { responseSection } from '../../../schemas/config/response.ts';

export const KEY = 'test-key-of-a-bouncer-0123456789';
export const OTHER_KEY = 'test-key-of-another-0123456789';
/** As `openssl rand -base64` makes them. */
export const PLUS_KEY = 'test/key+of~a.feed+01234567';

export interface Serving {
  readonly url: string;
  readonly port: number;
  readonly served: Served;
  readonly metrics: Metrics;
  /** Moves the clock on. */
  pass(ms: number): void;
  now(): number;
  stop(): Promise<void>;
}

export async function startServing(settings: object = {}, attribution: object = {}): Promise<Serving> {
  let passedMs = 0;
  const now = (): number => Date.now() + passedMs;
  const metrics = createMetrics();
  const served = createServed(now);
  const server = createResponseServer(
    responseSection.parse({
      mode: 'enforce',
      port: 0,
      keys: [
        { name: 'edge', key: KEY },
        { name: 'plus', key: PLUS_KEY, uses: ['feed'] },
        { name: 'other', key: OTHER_KEY, uses: ['bouncer'] },
      ],
      ...settings,
    }),
    {
      served,
      attribution: createGatewayAttribution(attributionSection.parse(attribution)),
      redactUser: (user) => user,
      logger: createLogger({ name: 'test', level: 'silent' }),
      metrics,
      now,
    },
  );
  const { url, port } = await server.start();
  return {
    url,
    port,
    served,
    metrics,
    now,
    pass(ms) {
      passedMs += ms;
    },
    async stop() {
      await server.stop(1_000);
      await metrics.stop();
    },
  };
}
