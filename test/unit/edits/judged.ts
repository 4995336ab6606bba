/** The tests' shop under edits: what its baseline says of a request, with and without them. */
import type { Baseline } from '../../../baseline/baseline.ts';
import { type Judgement, JudgementStage } from '../../../baseline/model.ts';
import { type EditDocument, type EditInput, editBody } from '../../../schemas/baselines/edit.ts';
import { loadedBaseline, loadInto, newKit } from '../detector/traffic.ts';
import { EPOCH_MS, segmentSpansOf, type WireSpan } from '../traces/otlp.ts';

export const edit = (input: EditInput, id = 'an-edit'): EditDocument => ({
  ...editBody.parse(input),
  id,
  revision: 1,
  supersedes: 0,
  by: 'ann',
  atMs: EPOCH_MS,
});

export interface Judged {
  readonly baseline: Baseline;
  judge(spans: readonly WireSpan[], stage?: JudgementStage): Judgement;
}

/** The learned baseline under these edits. */
export function under(...edits: readonly EditDocument[]): Judged {
  const kit = newKit();
  const baseline = loadInto(loadedBaseline().entries, kit).withEdits(edits);
  return {
    baseline,
    judge(spans, stage = JudgementStage.absence) {
      const segment = segmentSpansOf(spans, { appendMs: EPOCH_MS + 50 });
      if (!kit.reader.read(segment, kit.segment)) throw new Error('cannot be read');
      return baseline.judge(kit.segment, stage);
    },
  };
}

export const kinds = (judgement: Judgement): string[] => judgement.findings.map(({ kind }) => kind);
