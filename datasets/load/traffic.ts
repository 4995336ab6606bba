/** Sends the population's requests at a rate (an open loop: a slow shop does not slow the people). */
import { type ClientConnection, createClientConnection } from './connection.ts';
import { createJourney, type Intent, type Journey } from './journeys.ts';
import type { Persona } from './population.ts';
import type { Random } from './random.ts';

export interface LoadStats {
  sent: number;
  succeeded: number;
  /** 4xx. */
  refused: number;
  /** 5xx. */
  failed: number;
  aborted: number;
  /** No answer though the client waited. */
  unanswered: number;
  retried: number;
  /** Arrivals for which every client was busy. */
  skipped: number;
  inFlight: number;
  /** Sent requests by name of the intent. */
  byName: Record<string, number>;
}

export interface Traffic {
  setMultiplier(multiplier: number): void;
  readonly stats: LoadStats;
  stop(): void;
}

interface Client {
  readonly journey: Journey;
  readonly connection: ClientConnection;
  busy: boolean;
}

const RETRY_WAIT_MS = 150;

export function startTraffic(options: {
  readonly edgePort: number;
  readonly personas: readonly Persona[];
  readonly random: Random;
  /** Requests a second. */
  readonly rate: number;
}): Traffic {
  const { random, personas, edgePort } = options;
  let multiplier = 1;
  let stopped = false;
  const stats: LoadStats = {
    sent: 0,
    succeeded: 0,
    refused: 0,
    failed: 0,
    aborted: 0,
    unanswered: 0,
    retried: 0,
    skipped: 0,
    inFlight: 0,
    byName: {},
  };
  const clients = personas.map(
    (persona): Client => ({
      journey: createJourney(persona, random.fork(persona.address)),
      connection: createClientConnection({ edgePort, address: persona.address, sockets: 2 }),
      busy: false,
    }),
  );

  const sendOnce = async ({ journey, connection }: Client, intent: Intent): Promise<number> => {
    stats.sent++;
    stats.inFlight++;
    stats.byName[intent.name] = (stats.byName[intent.name] ?? 0) + 1;
    const { name: _name, signedIn: _signedIn, ...request } = intent;
    const answer = await connection.send({ ...request, headers: journey.headers(intent) });
    stats.inFlight--;
    journey.answered(intent, answer.status, answer.body);
    if (answer.status === 0) {
      if (intent.abortAfterMs !== undefined) stats.aborted++;
      else stats.unanswered++;
    } else if (answer.status >= 500) stats.failed++;
    else if (answer.status >= 400) stats.refused++;
    else stats.succeeded++;
    return answer.status;
  };

  const act = async (client: Client): Promise<void> => {
    client.busy = true;
    const intent = client.journey.next();
    for (let attempt = 0; ; attempt++) {
      const status = await sendOnce(client, intent);
      if (stopped || !client.journey.retries(intent, status, attempt)) break;
      stats.retried++;
      await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS));
    }
    client.busy = false;
  };

  let due = performance.now();
  const tick = (): void => {
    if (stopped) return;
    const now = performance.now();
    while (due <= now) {
      const free = clients[random.below(clients.length)]!;
      const client = free.busy ? clients.find((other) => !other.busy) : free;
      if (client === undefined) stats.skipped++;
      else void act(client);
      due += random.waitMs(options.rate * multiplier);
    }
    setTimeout(tick, Math.max(1, due - now));
  };
  tick();

  return {
    setMultiplier(value) {
      multiplier = value;
    },
    stats,
    stop() {
      stopped = true;
      for (const { connection } of clients) connection.close();
    },
  };
}
