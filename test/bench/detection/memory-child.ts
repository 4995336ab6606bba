/** A process that loads a baseline file and says how much more memory it holds then. */
import { createLearners } from '../../../baseline/all-learners.ts';
import { readBaseline } from '../../../detector/offline.ts';
import { createSymbols } from '../../../traces/symbols.ts';

const collect = (): NodeJS.MemoryUsage => {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  return process.memoryUsage();
};
const bytesOf = ({ heapUsed, external }: NodeJS.MemoryUsage): number => heapUsed + external;

const symbols = createSymbols({ maxTexts: 200_000, maxLabels: 200_000 });
const learners = createLearners({ hashKey: '' });
const before = collect();
const baseline = await readBaseline(process.argv[2]!, symbols, learners);
const after = collect();
process.stdout.write(
  JSON.stringify({
    rssBytes: after.rss - before.rss,
    heapBytes: bytesOf(after) - bytesOf(before),
    version: baseline.version,
  }),
);
