/** A parent for the test of orphans: starts the shop, says which processes it has, and waits to be killed. */
import { startShop } from '../../../datasets/shop/supervisor.ts';

const quiet = { info: () => undefined, warn: () => undefined };
const shop = await startShop({ otlpEndpoint: 'http://127.0.0.1:9', logger: quiet });
process.stdout.write(`${JSON.stringify(shop.pids().map(({ pid }) => pid))}\n`);
