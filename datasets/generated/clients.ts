/** Who asks: addresses of which a few ask much and many ask little, each with its program and some with an account. */
import { createRandom, type Random } from '../load/random.ts';

export interface Client {
  readonly address: string;
  readonly userAgent: string;
  /** '' = nobody is signed in. */
  readonly user: string;
}

export interface Population {
  /** The client of the next request. */
  next(random: Random): Client;
  readonly clients: readonly Client[];
}

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'MarketApp/7.2 (Android 15)',
  'MarketApp/7.1 (iOS 18.5)',
  'partner-sync/2.4',
];

/** The same seed gives the same people. */
export function createPopulation(seed: number, count: number): Population {
  const random = createRandom(seed, 'clients');
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    clients.push({
      address: publicAddress(random),
      userAgent: AGENTS[random.zipf(AGENTS.length)]!,
      user: random.chance(0.7) ? `u${10_000 + i}` : '',
    });
  }
  // cumulative weights 1 / (rank + 10)^0.9: the busiest makes about 1 % of the requests
  const upTo = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 10) ** 0.9;
    upTo[i] = sum;
  }
  return {
    clients,
    next(from) {
      const at = from.next() * sum;
      let low = 0;
      let high = count - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (upTo[middle]! > at) high = middle;
        else low = middle + 1;
      }
      return clients[low]!;
    },
  };
}

/** Unicast space that is nobody's special range; one in ten is IPv6. */
export function publicAddress(random: Random): string {
  if (random.chance(0.1)) {
    const part = (): string => (1 + random.below(65_535)).toString(16);
    return `2a0${random.between(1, 9)}:${part()}:${part()}:${part()}::${part()}`;
  }
  return `${random.pick(OCTETS)}.${random.below(256)}.${random.below(256)}.${random.between(1, 254)}`;
}

const OCTETS = [24, 31, 37, 46, 62, 78, 80, 83, 86, 91, 93, 109, 121, 151, 178, 181, 189, 201, 212, 217];
