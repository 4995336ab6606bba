/** Past incidents like one: of the same novelty, client or network, that went through the same stages. Among those held. */
import ipaddr from 'ipaddr.js';
import type { IncidentStory } from '../../schemas/alerts/incident.ts';
import { createManyIndex } from './many-index.ts';
import type { IncidentState } from './state.ts';
import { stagesOf } from './story.ts';

export interface Similar {
  /** It ended: what comes may be like it. */
  add(state: IncidentState): void;
  /** It is open again, or forgotten. */
  remove(state: IncidentState): void;
  /** The likest first; at most 5. */
  to(state: IncidentState): IncidentStory['similar'];
}

const MOST = 5;
/** So many are compared by their stages too. */
const MOST_COMPARED = 20;
const WEIGHTS = { novelty: 4, client: 3, network: 1, stages: 2 };

export function createSimilar(get: (id: string) => IncidentState | undefined): Similar {
  const index = createManyIndex();

  return {
    add(state) {
      for (const key of keysOf(state)) index.add(key, state.id);
    },
    remove(state) {
      for (const key of keysOf(state)) index.remove(key, state.id);
    },
    to(state) {
      const candidates = new Set<string>();
      for (const key of keysOf(state)) for (const id of index.of(key)) candidates.add(id);
      candidates.delete(state.id);
      const found: { readonly other: IncidentState; readonly weight: number; readonly why: readonly string[] }[] = [];
      for (const id of candidates) {
        const other = get(id);
        if (other !== undefined) found.push({ other, ...likeness(state, other) });
      }
      const likest = found.sort(order).slice(0, MOST_COMPARED);
      const stages = stagesText(state);
      return likest
        .map((one) =>
          stages !== '' && stages === stagesText(one.other)
            ? { ...one, weight: one.weight + WEIGHTS.stages, why: [...one.why, 'the same stages'] }
            : one,
        )
        .sort(order)
        .slice(0, MOST)
        .map(({ other: { id }, why }) => ({ id, why: why.join(', ') }));
    },
  };
}

function keysOf({ kind, explanationKey, client: { address } }: IncidentState): string[] {
  const keys = [`n ${kind} ${explanationKey}`];
  if (address !== null) keys.push(`c ${address}`, `w ${networkOf(address)}`);
  return keys;
}

interface Likeness {
  readonly other: IncidentState;
  readonly weight: number;
}

const order = (a: Likeness, b: Likeness): number =>
  b.weight - a.weight || b.other.openedMs - a.other.openedMs || (a.other.id < b.other.id ? -1 : 1);

function likeness(a: IncidentState, b: IncidentState): { readonly weight: number; readonly why: readonly string[] } {
  const novelty = a.kind === b.kind && a.explanationKey === b.explanationKey;
  const [one, other] = [a.client.address, b.client.address];
  const client = one !== null && one === other;
  const network = !client && one !== null && other !== null && networkOf(one) === networkOf(other);
  const why: string[] = [];
  if (novelty) why.push('the same novelty');
  if (client) why.push('the same client');
  if (network) why.push('the same network');
  const weight = (novelty ? WEIGHTS.novelty : 0) + (client ? WEIGHTS.client : 0) + (network ? WEIGHTS.network : 0);
  return { weight, why };
}

const stagesText = ({ story }: IncidentState): string =>
  stagesOf(story)
    .map(({ stage }) => stage)
    .join(' ');

/** A /24, or a /64; of what is neither, itself. */
function networkOf(address: string): string {
  const dot = address.lastIndexOf('.');
  if (dot >= 0 && !address.includes(':')) return address.slice(0, dot);
  if (!ipaddr.IPv6.isValid(address)) return address;
  return ipaddr.IPv6.parse(address).parts.slice(0, 4).join(':');
}
