/** Whom the alerts about an attack named, and what is wrong about it. Pure. */
import type { TruthEvent } from '../scenarios/truth.ts';
import type { ReceivedAlert } from './alert.ts';

export interface Attribution {
  /** Null: nobody. */
  readonly named: string | null;
  /** '' when it is right. */
  readonly wrong: string;
}

const NOBODY = 'nobody was named';

export function attributionOf(attack: TruthEvent, alerts: readonly ReceivedAlert[]): Attribution {
  const named = namedBy(attack, alerts);
  const told = new Set(alerts.flatMap(toldBy));
  const innocent = [...told].filter((address) => !mayBeNamed(attack, address));
  const [stranger] = innocent;
  if (stranger !== undefined) {
    const how = attack.never.includes(stranger) ? 'only claimed' : 'had no part in it';
    return { named, wrong: `${stranger} ${how}` };
  }
  if (named === null) return { named, wrong: NOBODY };
  return { named, wrong: named === attack.named.key ? '' : `was ${attack.named.key}` };
}

/** Of what was slow, the further clients are those who had to wait. */
const toldBy = ({ incident: { kind, client, clients } }: ReceivedAlert): readonly string[] =>
  kind === 'self-time' || kind === 'latency' ? (client === null ? [] : [client]) : clients;

/** Every client that its alerts speak of took part, or was in one batch with it. */
const mayBeNamed = ({ clients, companions }: TruthEvent, address: string): boolean =>
  clients.includes(address) || companions.includes(address);

function namedBy({ named: { by, key } }: TruthEvent, alerts: readonly ReceivedAlert[]): string | null {
  const clients = alerts.map(({ incident }) => incident.client).filter((client) => client !== null);
  switch (by) {
    case 'client':
      return clients[0] ?? null;
    case 'user':
      return alerts.find(({ incident: { user, entity } }) => user === key || entity === `user ${key}`) === undefined
        ? (clients[0] ?? null)
        : key;
    case 'network':
      return alerts.some(({ incident: { entity } }) => entity === key) ? key : (clients[0] ?? null);
    case 'batch': {
      // as soon as somebody is named alone, it has to be right; before, the set of those behind the batch
      const alone = clients.at(-1);
      if (alone !== undefined) return alone;
      return alerts.some(({ incident }) => incident.clients.includes(key)) ? key : null;
    }
  }
}
