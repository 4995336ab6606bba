/** A process that loads a baseline file, or none, as a detector does, and says how much memory it holds then. */
import { setTimeout } from 'node:timers/promises';
import { createLearners } from '../../../baseline/all-learners.ts';
import { readBaseline } from '../../../detector/offline.ts';
import { createSymbols } from '../../../traces/symbols.ts';

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'regular' | 'last-resort' }) => void;

/** Freed pages go back to the system on threads of their own: looked at a little later. */
async function collected(flavor: 'regular' | 'last-resort'): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 4; i++) {
    (globalThis.gc as Collect | undefined)?.({ type: 'major', execution: 'sync', flavor });
    await setTimeout(250);
  }
  return process.memoryUsage();
}

const symbols = createSymbols({ maxTexts: 200_000, maxLabels: 200_000 });
const learners = createLearners({ hashKey: '' });
const file = process.argv[2];
const baseline = file === undefined ? undefined : await readBaseline(file, symbols, learners);
const loose = await collected('regular');
// pages left half empty by what loading threw away are joined, as V8 does by itself when memory is short
const { rss, heapUsed, external } = await collected('last-resort');
process.stdout.write(
  JSON.stringify({
    looseBytes: loose.rss,
    rssBytes: rss,
    heapBytes: heapUsed + external,
    version: baseline?.version ?? '',
  }),
);
