/**
 * What a client did before anything was certain: findings that opened nothing, and what is known of it as an actor. When an incident
 * of that client opens, its story begins there. Bounded: of clients that come to nothing the oldest are forgotten.
 */
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { Finding, Verdict } from '../../schemas/log/verdict.ts';
import type { ToldFinding, ToldVerdict } from './story.ts';
import { cut } from './text.ts';

export interface Prelude {
  note(verdict: Verdict, findings: readonly Finding[], lead: Finding, appendMs: number): void;
  actor(record: ActorRecord): void;
  withdraw(verdict: Verdict): void;
  /** What is known of the client since then; it is the incident's now. */
  take(address: string, sinceMs: number): Before | undefined;
  snapshot(): PreludeSnapshot;
}

export interface Before {
  readonly verdicts: readonly EarlyVerdict[];
  readonly actors: readonly ActorRecord[];
}

export interface EarlyVerdict {
  readonly verdict: ToldVerdict;
  /** The leading one first. */
  readonly findings: readonly ToldFinding[];
  readonly appendMs: number;
}

interface Known {
  verdicts: EarlyVerdict[];
  actors: ActorRecord[];
}

export type PreludeSnapshot = readonly (readonly [
  address: string,
  verdicts: readonly EarlyVerdict[],
  actors: readonly ActorRecord[],
])[];

const MAX_CLIENTS = 500;
const MAX_VERDICTS = 8;
const MAX_ACTORS = 2;
const MAX_FINDINGS = 4;
const MAX_TEXT = 160;

export function createPrelude(snapshot: PreludeSnapshot = []): Prelude {
  const clients = new Map<string, Known>(
    snapshot.map(([address, verdicts, actors]) => [address, { verdicts: [...verdicts], actors: [...actors] }]),
  );

  function knownOf(address: string): Known {
    const known = clients.get(address) ?? { verdicts: [], actors: [] };
    clients.delete(address); // the map's order is the order of use
    clients.set(address, known);
    if (clients.size > MAX_CLIENTS) clients.delete(clients.keys().next().value!);
    return known;
  }

  return {
    note(verdict, findings, lead, appendMs) {
      const { address } = verdict.client;
      if (address === null) return;
      const known = knownOf(address);
      const at = known.verdicts.findIndex((one) => one.verdict.id === verdict.id);
      if (at >= 0) known.verdicts[at] = early(verdict, findings, lead, appendMs);
      else if (known.verdicts.every(({ findings: [other] }) => isOther(other!, lead)))
        known.verdicts.push(early(verdict, findings, lead, appendMs));
      if (known.verdicts.length > MAX_VERDICTS) known.verdicts.splice(1, 1);
    },
    actor(record) {
      const { address } = record.client;
      if (address === null) return;
      const known = knownOf(address);
      known.actors = [...known.actors.filter(({ id }) => id !== record.id), record].slice(-MAX_ACTORS);
    },
    withdraw({ id, client: { address } }) {
      const known = clients.get(address ?? '');
      if (known !== undefined) known.verdicts = known.verdicts.filter(({ verdict }) => verdict.id !== id);
    },
    take(address, sinceMs) {
      const known = clients.get(address);
      if (known === undefined) return undefined;
      clients.delete(address);
      const verdicts = known.verdicts.filter(({ appendMs }) => appendMs >= sinceMs);
      const actors = known.actors.filter(({ atMs }) => atMs >= sinceMs);
      return verdicts.length + actors.length === 0 ? undefined : { verdicts, actors };
    },
    snapshot: () => [...clients].map(([address, { verdicts, actors }]) => [address, verdicts, actors]),
  };
}

const isOther = (a: ToldFinding, b: ToldFinding): boolean => a.kind !== b.kind || a.explanationKey !== b.explanationKey;

/** What a story takes notice of. */
const early = (
  { id, traceId, entrySpanId, operation, score, client: { address } }: Verdict,
  findings: readonly Finding[],
  lead: Finding,
  appendMs: number,
): EarlyVerdict => ({
  verdict: { id, traceId, entrySpanId, operation, score, client: { address } },
  findings: [lead, ...findings.filter((finding) => finding !== lead)].slice(0, MAX_FINDINGS).map(small),
  appendMs,
});

const small = ({ kind, explanationKey, hard, service, operation, spanId, startMs, endMs }: Finding): ToldFinding => ({
  kind,
  explanationKey: cut(explanationKey, MAX_TEXT),
  hard,
  service,
  operation,
  spanId,
  startMs,
  endMs,
});
