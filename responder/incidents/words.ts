/**
 * What operators say of incidents (schemas/log/incident-action.ts): acknowledged, resolved, reopened, expected, bad. Each word is taken
 * once. A word on an incident that is held no more is kept for the views; one on an attack that was judged bad is refused when it
 * would silence it.
 */
import type { IncidentWord } from '../../schemas/alerts/incident.ts';
import type { IncidentAction } from '../../schemas/log/incident-action.ts';
import type { Budget } from './budget.ts';
import type { KeeperSink, Lifecycle } from './lifecycle.ts';
import type { Registry } from './registry.ts';
import { type IncidentState, toIncident } from './state.ts';
import { tellEvent } from './story.ts';
import { cut } from './text.ts';
import { entryOf } from './timeline.ts';

export interface Words {
  /** Null when it was taken before. */
  say(action: IncidentAction, appendMs: number): IncidentWord | null;
  snapshot(): WordsSnapshot;
}

export interface WordsSnapshot {
  /** Words taken, the latest last. */
  readonly taken: readonly string[];
  /** Novelties that were judged bad. */
  readonly bad: readonly string[];
}

const MAX_TAKEN = 2_000;
const MAX_BAD = 2_000;
const MAX_TEXT = 500;

export function createWords(
  deps: {
    readonly registry: Registry;
    readonly lifecycle: Lifecycle;
    readonly budget: Budget;
    readonly sink: KeeperSink;
  },
  snapshot?: WordsSnapshot,
): Words {
  const { registry, lifecycle, budget, sink } = deps;
  const taken = new Set(snapshot?.taken);
  const bad = new Set(snapshot?.bad);

  const changed = (state: IncidentState): void => {
    state.revision++;
    sink.incident(toIncident(state));
  };

  /** Another occurrence: its end is told as one of its own. */
  function reopen(state: IncidentState, appendMs: number): void {
    registry.reopen(state);
    state.occurrences++;
    state.reopenedMs = Math.max(state.reopenedMs, appendMs); // quiet is counted anew
    registry.index(state);
    changed(state);
    lifecycle.tellUpdate(state, appendMs);
  }

  /** Takes back what was said before, and opens what had ended. */
  function takeBack(state: IncidentState, appendMs: number): void {
    state.judged = '';
    budget.judge(state.id, '');
    for (const key of state.noveltyKeys) bad.delete(key);
    if (state.state !== 'open') reopen(state, appendMs);
  }

  function expect(state: IncidentState, appendMs: number): boolean {
    if (state.judged === 'true' || state.noveltyKeys.some((key) => bad.has(key))) return false;
    state.judged = 'benign';
    budget.judge(state.id, 'benign');
    state.lastHitMs = Math.max(state.lastHitMs, appendMs); // more of it is expected until it is quiet
    lifecycle.close(state, appendMs, 'expected');
    return true;
  }

  function judgeBad(state: IncidentState, appendMs: number): void {
    const wasExpected = state.state === 'expected';
    state.judged = 'true';
    budget.judge(state.id, 'true');
    for (const key of state.noveltyKeys) {
      bad.add(key);
      if (bad.size > MAX_BAD) bad.delete(bad.values().next().value!);
    }
    if (wasExpected) reopen(state, appendMs);
  }

  /** Who said what, and when, is part of the story. */
  function note(state: IncidentState, { action, by, comment, atMs }: IncidentAction, result: string): void {
    const text = `${action} by ${by}${comment === '' ? '' : `: ${comment}`}${result === 'refused' ? ' (refused)' : ''}`;
    tellEvent(state.story, entryOf('word', atMs, text), lifecycle.limits());
    changed(state);
  }

  /** False when it is refused. */
  function obey(state: IncidentState, action: IncidentAction['action'], appendMs: number): boolean {
    if (action === 'resolve') {
      if (state.state === 'open') lifecycle.close(state, appendMs);
    } else if (action === 'reopen') takeBack(state, appendMs);
    else if (action === 'bad') judgeBad(state, appendMs);
    else if (action !== 'acknowledge') return expect(state, appendMs);
    return true;
  }

  return {
    say(action, appendMs) {
      const key = `${action.incidentId} ${action.action} ${action.by} ${action.atMs}`;
      if (taken.has(key)) return null;
      taken.add(key);
      if (taken.size > MAX_TAKEN) taken.delete(taken.values().next().value!);
      const state = registry.holderOf(action.incidentId);
      const result = state === undefined ? 'unknown' : obey(state, action.action, appendMs) ? 'taken' : 'refused';
      if (state !== undefined) note(state, action, result);
      return {
        incidentId: state?.id ?? cut(action.incidentId, MAX_TEXT),
        saidOf: cut(action.incidentId, MAX_TEXT),
        occurrence: state?.occurrences ?? 0,
        action: action.action,
        by: cut(action.by, MAX_TEXT),
        comment: cut(action.comment, MAX_TEXT),
        editId: cut(action.editId, MAX_TEXT),
        atMs: action.atMs,
        takenMs: appendMs,
        result,
      };
    },
    snapshot: () => ({ taken: [...taken], bad: [...bad] }),
  };
}
