/** The shop's databases: one process, a thread each, so that a slow report stops nobody but reports. */
import { Worker } from 'node:worker_threads';
import { attach } from '../../../runtime/lifecycle/attached.ts';
import { programBeside } from '../../../runtime/lifecycle/child.ts';
import type { InstanceOptions, InstanceReady } from './instance.ts';
import { reportsSchema, shopSchema } from './schema.ts';

function startInstance(options: InstanceOptions): Promise<InstanceReady> {
  const worker = new Worker(programBeside('./instance.ts', import.meta.url), { workerData: options });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a database thread ended with ${code}`)));
  });
}

const shop = await startInstance({ schema: shopSchema(), share: true, nice: 0 });
const reports = await startInstance({
  schema: reportsSchema(),
  share: false,
  nice: 5,
  ...(shop.template === undefined ? {} : { template: shop.template }),
});
attach({ stop: async () => undefined }).ready({ 'database.shop': shop.port, 'database.reports': reports.port });
