/** What is quarantined stays so when versions cannot raise alerts for a while: detectors go on with the last one that could. */
import { expect, it } from 'vitest';
import { createTrainerWorld, newOperators, skuOf } from './robot-shop.ts';

const products = (count: number): string[] => Array.from({ length: count }, (_, i) => `/product/${skuOf(i % 300)}`);
/** web never asked payroll: a hard finding. */
const salaries = (count: number): string[] => Array.from({ length: count }, () => '/salaries');

it('hard findings are not learned by versions that cannot alert after one that could, over a restart too', async () => {
  const settings = { alpha: 0.01 };
  const world = await createTrainerWorld(newOperators(), settings);
  await world.visit(products(800), 60_000);
  const manifest = () => world.versions.at(-1)!.baseline.manifest;
  expect(manifest().alerting).toBe(true);
  settings.alpha = 1e-5; // more than there is to calibrate: versions from now on raise no alerts
  await world.restart();
  await world.visit(products(400), 30_000);
  expect(manifest()).toMatchObject({ alerting: false, alerted: true });
  const before = manifest().quarantined!;
  await world.restart();
  await world.visit(salaries(200), 30_000);
  await world.visit(products(600), 60_000);
  expect(manifest()).toMatchObject({ alerting: false, alerted: true });
  expect(manifest().quarantined! - before).toBe(200);
}, 60_000);
