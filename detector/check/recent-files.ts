/** Traffic of files as recent traffic: what was recorded in place of what the log holds. */
import type { TraceFiles } from '../../runtime/files/trace-files.ts';
import { createFileCounts, type FileCounts } from '../../runtime/files/trace-records.ts';
import type { AssemblyConfig } from '../../schemas/config/assembly.ts';
import type { Assembler, AssemblerSink } from '../../traces/assembly/contract.ts';
import { createRandom } from './mutations/random.ts';
import { givenOf, nothingCovered, type RecentTraffic } from './recent.ts';
import { createSegmentSample } from './sample.ts';

export interface RecentFilesDeps {
  readonly files: TraceFiles;
  readonly assembly: AssemblyConfig;
  createAssembler(config: AssemblyConfig, sink: AssemblerSink): Assembler;
}

export interface RecentFiles extends RecentTraffic {
  /** What of the files could not be used. */
  readonly counts: FileCounts;
}

const PARTITION = 0;
/** Segments between two words of progress. */
const TELL_EVERY = 1_000;

export function createRecentFiles(inputs: readonly string[], deps: RecentFilesDeps): RecentFiles {
  let covered = nothingCovered();
  const counts = createFileCounts();
  return {
    get covered() {
      return covered;
    },
    counts,
    async *segments({ most, seed, signal, progress }) {
      covered = nothingCovered();
      const sample = createSegmentSample(most, createRandom(seed));
      const assembler = deps.createAssembler(deps.assembly, {
        closed() {},
        withdrawn() {},
        reused() {},
        forgotten() {},
        settled(spans) {
          sample.add(spans);
          if (sample.seen % TELL_EVERY === 0) progress?.(sample.seen);
        },
      });
      for await (const records of deps.files.records(inputs, counts, signal === undefined ? {} : { signal })) {
        for (const { offset, streamMs, value } of records) {
          assembler.add(PARTITION, offset, streamMs, value);
          assembler.advance(PARTITION, streamMs);
          covered.records++;
        }
      }
      assembler.end();
      yield* givenOf(sample, covered);
    },
  };
}
