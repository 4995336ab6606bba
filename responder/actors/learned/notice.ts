/**
 * Whether our own configuration names the wrong clients: one address with most of the traffic of many users, most clients in ranges
 * that are nobody's own, or most requests without a client. One notice, then silence for a day; whoever is named so is blamed for
 * nothing. Nobody earns that in minutes, be it by a flood or with users made for it: the users have to be known ones, or the address
 * has most of the traffic for long; and whoever is accused already stays it.
 */
import type { NobodysRange } from './addresses.ts';

export interface Notice {
  readonly kind: 'one-client' | 'ranges' | 'no-client';
  /** The address, the range's name, or ''. */
  readonly key: string;
  readonly requests: number;
  readonly share: number;
  readonly users: number;
  readonly atMs: number;
}

export interface NoticeState {
  total: number;
  unknown: number;
  private: number;
  cdn: number;
  /** Majority vote of this window, and the winner of the last one, counted exactly in this. */
  candidate: string;
  votes: number;
  watched: string;
  watchedRequests: number;
  fromMs: number;
  /** Who had the majority in the last windows, and since when. */
  majority: string;
  majorityMs: number;
  /** Hashes of users with a history behind the watched one in this window, no more than are enough. */
  knownUsers: number[];
  /** Share of the last whole window, by what may be wrong. */
  suspects: string[];
  ranges: string[];
  toldMs: Record<string, number>;
}

/** Fewer requests than these say nothing. */
const ENOUGH = 1_000;
/** A window is judged when it has enough and this has passed, or at once when it is long over. */
const WINDOW_MS = 60_000;
const LONGEST_MS = 3_600_000;
const DAY_MS = 86_400_000;
const MANY_USERS = 10;
/** A majority for so long is no flood. */
const LONG_MS = 3_600_000;
const MOST_SUSPECTS = 8;

/** What is asked of the one address that might have most of the traffic. */
export interface Ask {
  users(address: string): number;
  isAccused(address: string): boolean;
  /** Nothing is held against anybody yet, so that nobody gains by seeming many. */
  readonly isLearning: boolean;
  /** Whether any entry names users in its spans. */
  readonly usersNamed: boolean;
}

export interface NoticeWatch {
  /** A request; `knownUser`: hash of its user, if that one has a history. */
  request(address: string | null, range: NobodysRange, nowMs: number, knownUser: number, ask: Ask): Notice | null;
  /** Named, but not by who they are. */
  isMisattributed(address: string, range: NobodysRange): boolean;
  state(): NoticeState;
}

export const newNoticeState = (): NoticeState => ({
  total: 0,
  unknown: 0,
  private: 0,
  cdn: 0,
  candidate: '',
  votes: 0,
  watched: '',
  watchedRequests: 0,
  fromMs: 0,
  majority: '',
  majorityMs: 0,
  knownUsers: [],
  suspects: [],
  ranges: [],
  toldMs: {},
});

export function createNoticeWatch(s: NoticeState = newNoticeState()): NoticeWatch {
  /** At the end of a window: what is wrong, the gravest first. */
  function judge(nowMs: number, ask: Ask): Notice | null {
    const found: Notice[] = [];
    const named = s.total - s.unknown;
    if (s.unknown > s.total / 2) found.push(notice('no-client', '', s.unknown, 0, nowMs));
    const ranges: string[] = [];
    for (const [range, count] of [
      ['private', s.private],
      ['CDN', s.cdn],
    ] as const) {
      if (count <= s.total / 2) continue;
      ranges.push(range);
      found.push(notice('ranges', range, count, 0, nowMs));
    }
    s.ranges = ranges;
    // who has a majority wins the vote (Boyer & Moore 1981); that the winner has one, an exact count or the votes left over say
    const exact = s.watched === s.candidate ? s.watchedRequests : 0;
    const most =
      Math.max(exact, s.votes) > s.total / 2 ? s.candidate : s.watchedRequests > s.total / 2 ? s.watched : '';
    if (most !== s.majority) s.majorityMs = s.fromMs;
    s.majority = most;
    const users = most === '' ? 0 : ask.users(most);
    if (most !== '' && isMany(most, users, nowMs - s.majorityMs, ask)) {
      s.suspects = [most, ...s.suspects.filter((one) => one !== most)].slice(0, MOST_SUSPECTS);
      const requests = most === s.watched ? Math.max(s.watchedRequests, s.votes) : s.votes;
      found.push(notice('one-client', most, requests, users, nowMs));
    } else if (named > 0) s.suspects = [];
    clear(nowMs, s.candidate);
    const first = found[0];
    if (first === undefined) return null;
    for (const kind of Object.keys(s.toldMs)) if (nowMs - s.toldMs[kind]! < DAY_MS) return null;
    s.toldMs = { [first.kind]: nowMs };
    return first;
  }

  /** Whether it is many people's rather than one busy client. */
  function isMany(address: string, users: number, lastedMs: number, ask: Ask): boolean {
    if (s.suspects.includes(address)) return true;
    if (ask.isAccused(address)) return false;
    if (users < MANY_USERS) return !ask.usersNamed && lastedMs >= LONG_MS;
    return ask.isLearning || lastedMs >= LONG_MS || (address === s.watched && s.knownUsers.length >= MANY_USERS);
  }

  const notice = (kind: Notice['kind'], key: string, requests: number, users: number, atMs: number): Notice => ({
    kind,
    key,
    requests,
    share: requests / s.total,
    users,
    atMs,
  });

  function clear(nowMs: number, watched: string): void {
    s.total = s.unknown = s.private = s.cdn = s.votes = s.watchedRequests = 0;
    s.candidate = '';
    s.knownUsers = [];
    s.watched = watched;
    s.fromMs = nowMs;
  }

  return {
    request(address, range, nowMs, knownUser, ask) {
      if (s.fromMs === 0) s.fromMs = nowMs;
      s.total++;
      if (address === null) s.unknown++;
      else {
        if (range === 'private') s.private++;
        else if (range === 'CDN') s.cdn++;
        if (s.votes === 0) s.candidate = address;
        s.votes += s.candidate === address ? 1 : -1;
        if (s.watched === address) {
          s.watchedRequests++;
          if (knownUser !== 0 && s.knownUsers.length < MANY_USERS && !s.knownUsers.includes(knownUser))
            s.knownUsers.push(knownUser);
        }
      }
      const lastedMs = nowMs - s.fromMs;
      if (s.total >= ENOUGH && lastedMs >= WINDOW_MS) return judge(nowMs, ask);
      if (lastedMs > LONGEST_MS) clear(nowMs, s.candidate);
      return null;
    },
    isMisattributed: (address, range) =>
      (range !== '' && s.ranges.includes(range)) || (s.suspects.length > 0 && s.suspects.includes(address)),
    state: () => s,
  };
}
