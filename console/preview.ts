/**
 * What an edit would have changed over the last day (DETECTION §8): recent requests judged again, by the function handed in,
 * and beside it what stored verdicts tell of the whole day. One at a time, so that looking never costs more than one pass.
 */
import type { EditPreview } from '../baseline/edits/compare.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import { type EditDocument, editsInForce } from '../schemas/baselines/edit.ts';
import { ProblemError } from './problem.ts';
import type { ConsoleStore } from './store.ts';

/** Judges recent requests under the edits without and with a change; null when there is nothing to judge, or nothing to judge with. */
export type JudgeAgain = (
  before: readonly EditDocument[],
  after: readonly EditDocument[],
  options: { readonly sinceMs: number; readonly most: number },
) => Promise<EditPreview | null>;

/** Of stored verdicts: what approvals would have kept away. Other clauses need judging again. */
export interface StoredPreview {
  /** Verdicts of the day, and those with findings that were looked at. */
  readonly scored: number;
  readonly lookedAt: number;
  /** Verdicts that would lose findings; that would have no near-certain one left. */
  readonly fewerFindings: number;
  readonly silenced: number;
}

export interface Preview {
  readonly sinceMs: number;
  /** Null where recent requests could not be judged again, or stored verdicts not be looked at; `why` says it. */
  readonly judgedAgain: EditPreview | null;
  readonly stored: StoredPreview | null;
  readonly why: string;
}

const DAY_MS = 86_400_000;
const MOST_VERDICTS = 50_000;
const MOST_WAITING = 8;

export interface PreviewDeps {
  readonly store: Pick<ConsoleStore, 'recentFindings'>;
  readonly judgeAgain?: JudgeAgain;
  readonly most: number;
  readonly logger: Logger;
  readonly now: () => number;
}

export interface Previewer {
  /** `documents`: as they are stored; `next`: the document that would be new, or would supersede the one of its id. */
  preview(documents: readonly EditDocument[], next: EditDocument): Promise<Preview>;
}

export function createPreviewer({ store, judgeAgain, most, logger, now }: PreviewDeps): Previewer {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function judged(
    before: readonly EditDocument[],
    after: readonly EditDocument[],
  ): Promise<[EditPreview | null, string]> {
    if (judgeAgain === undefined || most === 0) return [null, 'judging again is turned off (console.previewRequests)'];
    try {
      const found = await judgeAgain(before, after, { sinceMs: DAY_MS, most });
      return [found, found === null ? 'there is no baseline version, or no recent request, to judge again' : ''];
    } catch (error) {
      logger.warn({ err: error }, 'recent requests could not be judged again for a preview');
      return [
        null,
        `recent requests could not be judged again: ${error instanceof Error ? error.message : String(error)}`,
      ];
    }
  }

  /** A preview is not what an edit fails by. */
  async function fromStored(next: EditDocument): Promise<[StoredPreview | null, string]> {
    try {
      return [await countStored(next), ''];
    } catch (error) {
      logger.warn({ err: error }, 'stored verdicts could not be looked at for a preview');
      return [
        null,
        `stored verdicts could not be looked at: ${error instanceof Error ? error.message : String(error)}`,
      ];
    }
  }

  async function countStored(next: EditDocument): Promise<StoredPreview | null> {
    if (next.approve.length === 0 || (next.state !== 'approved' && next.state !== 'pinned')) return null;
    const { verdicts, scored } = await store.recentFindings(now() - DAY_MS, MOST_VERDICTS);
    let fewerFindings = 0;
    let silenced = 0;
    for (const { findings } of verdicts) {
      const left = findings.filter(
        (finding) =>
          !next.approve.some(
            (one) =>
              one.kind === finding.kind &&
              one.explanationKey === finding.explanationKey &&
              (one.service === undefined || one.service === finding.service) &&
              (one.operation === undefined || one.operation === finding.operation),
          ),
      );
      if (left.length === findings.length) continue;
      fewerFindings++;
      if (findings.some(({ hard }) => hard) && !left.some(({ hard }) => hard)) silenced++;
    }
    return { scored, lookedAt: verdicts.length, fewerFindings, silenced };
  }

  async function make(documents: readonly EditDocument[], next: EditDocument): Promise<Preview> {
    const atMs = now();
    const before = editsInForce(documents, atMs);
    const after = editsInForce([...documents, next], atMs);
    const [judgedAgain, why] = await judged(before, after);
    const [stored, whyNot] = await fromStored(next);
    return { sinceMs: atMs - DAY_MS, judgedAgain, stored, why: [why, whyNot].filter((one) => one !== '').join('; ') };
  }

  return {
    async preview(documents, next) {
      if (waiting >= MOST_WAITING) throw new ProblemError(503, 'too many previews are being made: try again');
      waiting++;
      const turn = last.then(() => make(documents, next));
      last = turn.catch(() => {});
      try {
        return await turn;
      } finally {
        waiting--;
      }
    },
  };
}
