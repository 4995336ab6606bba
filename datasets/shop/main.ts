/** One service of the shop as a process: `node datasets/shop/main.ts SERVICE`. Telemetry first, then the service. */
import { attach } from './attached.ts';
import { startTelemetry } from './telemetry.ts';

/** What every service file exports: starts it and says where it listens; `others` comes once all listen. */
export type StartService = (deps: {
  readonly others: Promise<Readonly<Record<string, number>>>;
}) => Promise<{ readonly port: number; stop(): Promise<void> }>;

const name = process.argv[2] ?? '';
const telemetry = startTelemetry({ edge: name === 'gateway' });
const { startService } = (await import(`./services/${name}.ts`)) as { startService: StartService };

let running: { stop(): Promise<void> } | undefined;
const attachment = attach({
  async stop() {
    await running?.stop();
    await telemetry.stop();
  },
});
const service = await startService({ others: attachment.others });
running = service;
attachment.ready({ [name]: service.port });
