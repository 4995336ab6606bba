/** All services a system has, as its programmes name them. */
import type { Step, System } from './system.ts';

export function servicesOf(system: System): string[] {
  const found = new Set([system.edge]);
  const walk = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.does === 'call' || step.does === 'publish') found.add(step.service);
      if (step.does === 'choice') for (const [, way] of step.ways) walk(way);
      else if ('steps' in step) walk(step.steps);
    }
  };
  for (const entry of system.entries) walk(entry.steps);
  return [...found].sort();
}
