/** Decisions about actors, and undoing them: records of the `findings` topic, whose owner lifts them. */
import type { DecisionFilter } from '../runtime/clickhouse/stored-decisions.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Decision } from '../schemas/alerts/decision.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import type { DecisionAction } from '../schemas/log/decision-action.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import { ProblemError } from './problem.ts';
import type { ConsoleStore } from './store.ts';

export interface DecisionDesk {
  /** Newest first. */
  list(filter: DecisionFilter): Promise<readonly Decision[]>;
  /** Of an address, a range or a user, or else an id or its first six characters at least: all that is in force about it. */
  undo(about: string, by: string, comment: string, dryRun: boolean): Promise<UndoneDecisions>;
}

export interface UndoneDecisions {
  /** What stands in the tables; ranges around an address, and what is just being made, are lifted too. */
  readonly decisions: readonly Decision[];
  readonly action: DecisionAction;
}

export interface DecisionDeskDeps {
  readonly store: Pick<ConsoleStore, 'decisions'>;
  readonly log: Pick<Log, 'produce'>;
  readonly now: () => number;
  /** A user as decisions name it, which redaction may have changed; null = hidden. */
  redactUser?(user: string): string | null;
}

/** Fewer characters are more likely a user's name, mistyped. */
const ID_START = /^[0-9a-f]{6,16}$/;

/** Addresses and ranges may be set free before anything is decided about them. */
const isNetwork = (text: string): boolean =>
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:\/\d{1,3})?$/.test(text);

export function createDecisionDesk({ store, log, now, redactUser }: DecisionDeskDeps): DecisionDesk {
  const standing = (about: string): Promise<readonly Decision[]> =>
    store.decisions({ about, states: ['simulated', 'enforced'], endingAfterMs: now() });

  return {
    list: (filter) => store.decisions(filter),
    async undo(said, by, comment, dryRun) {
      const shown = redactUser?.(said) ?? said;
      const byName = shown === said ? [] : await standing(shown);
      const about = byName.length > 0 ? shown : said;
      const like = byName.length > 0 ? byName : await standing(said);
      // names of users are anything, also what an id begins with: whom it names comes first
      const named = like.filter(({ value }) => value === about);
      const byId = named.length > 0 || !ID_START.test(about) ? [] : like.filter(({ id }) => id.startsWith(about));
      if (byId.length > 1) throw new ProblemError(404, `'${about}' is the start of several decisions' ids`);
      const found = [...named, ...byId];
      if (found.length === 0 && !isNetwork(about))
        throw new ProblemError(404, `nothing is decided about '${about}': 'spanwarden decisions list' shows what is`);
      const action: DecisionAction = { about: byId[0]?.id ?? about, action: 'undo', by, comment, atMs: now() };
      if (!dryRun)
        await log.produce('findings', [
          { kind: RecordKind.decisionAction, key: action.about, value: encodeJson(action) },
        ]);
      return { decisions: found, action };
    },
  };
}
