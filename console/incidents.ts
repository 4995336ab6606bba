/** Incidents, and what an operator says of them: records of the `findings` topic, which the responder obeys. */
import { type Expected, expectationOf } from '../baseline/edits/expectation.ts';
import type { Log } from '../runtime/log/port.ts';
import type { Incident } from '../schemas/alerts/incident.ts';
import type { Novelty } from '../schemas/baselines/edit.ts';
import { encodeJson } from '../schemas/log/codecs.ts';
import type { IncidentAction, IncidentActionKind } from '../schemas/log/incident-action.ts';
import { RecordKind } from '../schemas/log/topics.ts';
import type { EditDesk, WrittenEdit } from './edits.ts';
import type { Preview } from './preview.ts';
import { ProblemError } from './problem.ts';
import type { ConsoleStore } from './store.ts';

export interface ActionInput {
  readonly action: IncidentActionKind;
  readonly by: string;
  readonly comment: string;
  /** Of the edit that `expect-always` makes. */
  readonly owner: string;
  readonly expiresMs: number | null;
  readonly dryRun: boolean;
  /** False: the edit is written without looking what it would have changed. */
  readonly preview: boolean;
}

export interface ActionDone {
  readonly incident: Incident;
  readonly action: IncidentAction;
  /** What `expect-always` made, or with `dryRun` would make. */
  readonly edit?: WrittenEdit;
  /** Findings of the incident that the edit does not keep away. */
  readonly left?: Expected['left'];
}

export interface IncidentDesk {
  /** Of their stories how far they got and their risk; `find` gives the rest. */
  list(filter: { state?: Incident['state']; class?: Incident['class']; limit: number }): Promise<readonly Incident[]>;
  /** By its id or the start of it, with its whole story. */
  find(id: string): Promise<Incident>;
  act(id: string, input: ActionInput): Promise<ActionDone>;
}

export interface IncidentDeskDeps {
  readonly store: ConsoleStore;
  readonly edits: Pick<EditDesk, 'list' | 'write'>;
  readonly log: Pick<Log, 'produce'>;
  readonly now: () => number;
}

const MOST_SEARCHED = 10_000;
/** `--expires 30d` said again is some time later: the same end. */
const SAME_END_MS = 3_600_000;
const sameEnd = (one: number | null, other: number | null): boolean =>
  one === null || other === null ? one === other : Math.abs(one - other) <= SAME_END_MS;
const keyOf = (approve: readonly Novelty[]): string =>
  JSON.stringify(
    approve.map((one) => [one.kind, one.explanationKey, one.service, one.operation].join('\u0000')).sort(),
  );
/** Incidents that no edit of a version can keep away, and what can be done instead. */
const NOT_OF_A_VERSION: Readonly<Record<string, string>> = {
  collective: 'it is about many requests together, not about one that could be expected: use --once',
  'missing-telemetry': 'it says that spans do not come: use --once, and mend the exporter',
  'trace-id-reused': 'it says that a trace id is used by many requests: use --once',
  blocked: 'an operator blocked it: retire that edit',
  actor: 'it is about what somebody did over many requests: use --once',
  attribution: 'it says that our own configuration names the wrong client: use --once, and mend attribution',
  release: 'it bundles what a release brought: approve its findings one by one, or let them be learned',
};

export function createIncidentDesk({ store, edits, log, now }: IncidentDeskDeps): IncidentDesk {
  async function find(id: string): Promise<Incident> {
    const [exact] = await store.incidents({ id });
    if (exact !== undefined) return exact;
    const starting = (await store.incidents({ idStart: id, limit: 2 })).filter((one) => one.id.startsWith(id));
    if (starting.length === 1) return starting[0]!;
    throw new ProblemError(
      404,
      starting.length === 0 ? `no incident '${id}'` : `'${id}' is the start of several incidents' ids`,
    );
  }

  /** The responder refuses to silence an attack: nothing may be written for a word that it will not take. */
  async function mayBeExpected({ id, mergedInto, kind, explanationKey }: Incident): Promise<void> {
    // abuse of one kind by another is another novelty
    const about = kind === 'actor' ? '' : explanationKey;
    const bad = await store.judgedBad({ id: mergedInto === '' ? id : mergedInto, kind, explanationKey: about });
    if (bad === undefined) return;
    const who = bad.by === '' ? '' : ` by ${bad.by}`;
    throw new ProblemError(
      409,
      bad.id === id
        ? `incident ${id} was judged bad${who}: reopen it first`
        : `what incident ${id} is about was judged bad${who} in incident ${bad.id}: reopen that first`,
    );
  }

  async function expected(incident: Incident): Promise<Expected> {
    const impossible = NOT_OF_A_VERSION[incident.kind];
    if (impossible !== undefined)
      throw new ProblemError(409, `incident ${incident.id} cannot be expected always: ${impossible}`);
    const stored = await store.findingsOfTraces(incident.traceIds);
    const found = expectationOf(
      incident,
      stored.map(({ findings }) => findings),
    );
    if (found.approve.length > 0) return found;
    // verdicts are gone by their retention: what the incident itself remembers
    const remembered = expectationOf(incident, [
      incident.findings.map((finding) => ({ ...finding, candidate: false })),
    ]);
    if (remembered.approve.length > 0) return remembered;
    throw new ProblemError(409, `nothing of incident ${incident.id} is known that an edit could keep away`);
  }

  /** The edit that the same word made before, as when it is said again after the log was away: one is enough. */
  async function writtenBefore(
    incident: Incident,
    approve: Expected['approve'],
    expiresMs: number | null,
  ): Promise<WrittenEdit | undefined> {
    const wanted = keyOf(approve);
    const found = (await edits.list()).find(
      ({ incidentId, document }) =>
        incidentId === incident.id &&
        document.state === 'approved' &&
        (document.expiresMs === null || document.expiresMs > now()) &&
        sameEnd(document.expiresMs, expiresMs) &&
        keyOf(document.approve) === wanted,
    );
    if (found === undefined) return undefined;
    return { ...found, preview: found.preview === '' ? null : (JSON.parse(found.preview) as Preview) };
  }

  return {
    find,
    async list({ state, class: incidentClass, limit }) {
      const found = await store.incidents({
        ...(state !== undefined && { state }),
        ...(incidentClass !== undefined && { class: incidentClass }),
        limit: MOST_SEARCHED,
        brief: true,
      });
      return found
        .filter(
          (one) =>
            (incidentClass === undefined || one.class === incidentClass) &&
            (state !== undefined || one.state !== 'merged'),
        )
        .slice(0, limit);
    },
    async act(id, input) {
      const incident = await find(id);
      const { by, comment, dryRun, preview, owner, expiresMs } = input;
      if (input.action === 'expect-once' || input.action === 'expect-always') await mayBeExpected(incident);
      let written: WrittenEdit | undefined;
      let left: Expected['left'] | undefined;
      if (input.action === 'expect-always') {
        const found = await expected(incident);
        left = found.left;
        written = await writtenBefore(incident, found.approve, expiresMs);
        written ??= await edits.write(
          {
            state: 'approved',
            owner,
            expiresMs,
            comment: comment === '' ? `expected: ${incident.title}` : comment,
            approve: found.approve,
          },
          by,
          { incidentId: incident.id, seen: found.approve, dryRun, preview },
        );
      }
      const action: IncidentAction = {
        incidentId: incident.id,
        action: input.action,
        by,
        comment,
        atMs: now(),
        editId: written?.document.id ?? '',
      };
      if (!dryRun)
        await log.produce('findings', [
          { kind: RecordKind.incidentAction, key: incident.id, value: encodeJson(action) },
        ]);
      return { incident, action, ...(written !== undefined && { edit: written }), ...(left !== undefined && { left }) };
    },
  };
}
