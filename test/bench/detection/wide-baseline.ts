/**
 * A version of any width, learned from a wide system's traffic and published once: the folds that calibrate a version would
 * learn it eight times over and leave nothing more in it. Thresholds are those of a small system's own.
 */
import { createLearners } from '../../../baseline/all-learners.ts';
import { profileOf } from '../../../baseline/learning/profile.ts';
import type { BaselineEntry, CompileOptions, Learner } from '../../../baseline/model.ts';
import { generateTraffic } from '../../../datasets/generated/traffic.ts';
import { type Width, wideSystem } from '../../../datasets/generated/wide.ts';
import { loadConfig } from '../../../runtime/config/load.ts';
import type { Group } from '../../../schemas/log/verdict.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { learn } from './detector.ts';
import { LEARN_MS } from './world.ts';

const config = loadConfig({ file: undefined, env: { SPANWARDEN_LEARNING_PROFILE: 'export' } });
const PER_SECOND = 40;
const SMALL = 600;

/**
 * `observations`: requests of each operation. Groups know nothing of each other, so each may be learned from a system of
 * its own width: nobody's calls number what a learner of parameters may hold.
 */
export async function wideEntries(
  widths: readonly { readonly groups: readonly Group[]; readonly width: Width }[],
  observations: number,
): Promise<BaselineEntry[]> {
  const { seed } = widths[0]!.width;
  const small = await learn([...generateTraffic({ seed, traces: SMALL, perSecond: PER_SECOND, startMs: LEARN_MS })]);
  const entries = [...small.baseline.entries()].filter(({ group }) => group === 'fusion' || group === 'manifest');

  for (const { groups, width } of widths) entries.push(...published(groups, width, observations));
  return entries;
}

function published(groups: readonly Group[], width: Width, observations: number): BaselineEntry[] {
  const { seed } = width;
  const learners = createLearners({ hashKey: config.redaction.key });
  const { symbols, reader, segment } = createReadingKit(config);
  const sides = groups.map((group) => sideOf(learners[group] as Learner<unknown>));
  const traces = observations * width.entries;
  const bucketMs = (1_000 * traces) / PER_SECOND / 100;
  const buckets = new Set<number>();
  const clients = new Set<number>();
  let segments = 0;
  const assembler = createAssembler(config.assembly, {
    sink: {
      closed() {},
      withdrawn() {},
      reused() {},
      forgotten() {},
      settled(spans) {
        if (!reader.read(spans, segment)) return;
        const client = 1 + (segments % 97);
        const bucket = Math.floor(segment.startMs / bucketMs);
        segments++;
        buckets.add(bucket);
        clients.add(client);
        for (const side of sides) side.learn(segment, { bucket, client, quarantined: false });
      },
    },
  });
  let i = 0;
  const system = wideSystem(width);
  for (const { record } of generateTraffic({ seed, traces, system, perSecond: PER_SECOND, startMs: LEARN_MS })) {
    const atMs = 300_000 * i;
    assembler.add(0, i++, atMs, record);
    assembler.advance(0, atMs + 299_999);
  }
  assembler.end();
  const options: CompileOptions = {
    profile: profileOf(config.learning),
    symbols,
    segments,
    clients: clients.size,
    buckets: buckets.size,
    previous: [],
    sensitiveTables: [],
  };
  return sides.flatMap((side) => [...side.publish(options)]);
}

function sideOf<P>(learner: Learner<P>) {
  const partial = learner.createPartial();
  return {
    learn: (...[segment, context]: [Parameters<typeof learner.learn>[1], Parameters<typeof learner.learn>[2]]) =>
      learner.learn(partial, segment, context),
    publish: (options: CompileOptions) => learner.compile(partial, options).entries(),
  };
}
