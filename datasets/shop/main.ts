/** One service of the shop as a process: `node datasets/shop/main.ts SERVICE [SETTINGS]`. Telemetry first, then the service. */
import { attach } from '../../runtime/lifecycle/attached.ts';
import type { ShopKafka } from './jobs/settings.ts';
import { startTelemetry } from './telemetry.ts';

/** The second argument, JSON. */
export interface ServiceSettings {
  /** Null: jobs travel through the database. */
  readonly kafka: ShopKafka | null;
}

/** What every service file exports: starts it and says where it listens; `others` comes once all listen. */
export type StartService = (deps: {
  readonly others: Promise<Readonly<Record<string, number>>>;
  readonly kafka: ShopKafka | null;
}) => Promise<{ readonly port: number; stop(): Promise<void> }>;

/** The worker first does what was queued on Kafka, and leaves nothing behind there. */
const DRAIN_MS = { worker: 4_000, others: 2_000 } as const;

const name = process.argv[2] ?? '';
const { kafka } = JSON.parse(process.argv[3] ?? '{"kafka":null}') as ServiceSettings;
const telemetry = startTelemetry({ edge: name === 'gateway' });
const { startService } = (await import(`./services/${name}.ts`)) as { startService: StartService };

let starting: ReturnType<StartService> | undefined;
const attachment = attach({
  drainMs: name === 'worker' && kafka !== null ? DRAIN_MS.worker : DRAIN_MS.others,
  async stop() {
    try {
      const service = await starting?.catch(() => undefined);
      await service?.stop();
    } finally {
      await telemetry.stop();
    }
  },
});
try {
  starting = startService({ others: attachment.others, kafka });
  attachment.ready({ [name]: (await starting).port });
} catch (error) {
  // The last line on standard error is the reason that whoever started us tells.
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
