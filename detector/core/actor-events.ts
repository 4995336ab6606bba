/**
 * What a request says about who made it: a segment and its verdict → the events that actors are counted by
 * (schemas/log/actor-event.ts). Nothing raw leaves: accounts and clients as redaction lets them, values as keyed hashes.
 */
import type { Redactor } from '../../schemas/clickhouse/redactor.ts';
import { Sensitivity } from '../../schemas/clickhouse/redactor.ts';
import type { ActorsConfig } from '../../schemas/config/actors.ts';
import type { ActorEvent, EventFinding, LoginAttempt, TouchedObject } from '../../schemas/log/actor-event.ts';
import type { ClientRecord, Finding, Verdict } from '../../schemas/log/verdict.ts';
import { SpanKind } from '../../schemas/otlp/fields.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import { MASK } from '../../traces/redaction/redactor.ts';
import { Outcome, ParameterSource, type Segment, type Symbols } from '../../traces/segment.ts';
import type { KeyedHash } from './keyed-hash.ts';
import { createLoginTest, createNameTest, loginSucceeded } from './login.ts';
import { createObjectNames, MAX_OBJECTS } from './object-names.ts';
import { createObjectTest, isPrivateName, plainInteger } from './objects.ts';

export interface ActorEventDeps {
  readonly symbols: Symbols;
  readonly redactor: Redactor;
  readonly hash: KeyedHash;
}

export interface ActorEvents {
  /** The segment just judged, for the first time. */
  request(segment: Segment, verdict: Verdict): ActorEvent;
  /** What the verdict, redacted already, has that was not said of it before and of this client; null when nothing. */
  findings(verdict: Verdict): ActorEvent | null;
  /** The partition was taken away: what was told of its verdicts is another's to know. */
  drop(partition: number): void;
}

const MAX_FINDINGS = 16;
const MAX_ACCOUNT_BYTES = 128;
/** Verdicts of a partition remembered that something was told of. */
const MAX_TOLD = 20_000;
const MAX_CLIENTS = 20_000;

const Name = { account: 1, object: 2, number: 4 } as const;
const NO_OBJECTS: readonly TouchedObject[] = Object.freeze([]);
const NO_FINDINGS: readonly EventFinding[] = Object.freeze([]);

interface Told {
  readonly client: string;
  readonly keys: ReadonlySet<string>;
}

export function createActorEvents(config: ActorsConfig, deps: ActorEventDeps): ActorEvents {
  const { symbols, redactor, hash } = deps;
  const isLogin = createLoginTest(config.login);
  const isAccount = createNameTest(config.login.accountParameters);
  const isObject = createObjectTest(config.objects);
  /** By symbol or label: 0 = not looked at yet; else the answer + 1. */
  let loginOf = new Uint8Array(1024);
  let namesOf = new Uint8Array(1024);
  const names = createObjectNames(symbols);
  const users = new Map<string, string | null>();
  const sessions = new Map<string, string>();
  /** By partition, then by verdict, the oldest first. */
  const toldIn = new Map<number, Map<string, Told>>();
  /** Of the objects of the event being made. */
  const hashes = new Float64Array(MAX_OBJECTS);

  function isLoginLabel(label: number): boolean {
    if (label >= loginOf.length) loginOf = grown(loginOf, label);
    const known = loginOf[label]!;
    if (known !== 0) return known === 2;
    const answer = isLogin(symbols.text(symbols.labelOf(label).operation));
    loginOf[label] = answer ? 2 : 1;
    return answer;
  }

  function marksOf(name: number): number {
    if (name >= namesOf.length) namesOf = grown(namesOf, name);
    const known = namesOf[name]!;
    if (known !== 0) return known - 1;
    const text = symbols.text(name);
    let marks = 0;
    if (isAccount(text)) marks |= Name.account;
    if (isObject(text) && redactor.classify(text) !== Sensitivity.secret) {
      marks |= Name.object;
      if (!isPrivateName(text)) marks |= Name.number;
    }
    namesOf[name] = marks + 1;
    return marks;
  }

  /** What the entry's parameters name; where it has none, what those of the first span that has some do. */
  function objectsOf(segment: Segment, client: string): readonly TouchedObject[] {
    const { parameterCount, parameterSpan, parameterSource, parameterName, parameterStart, parameterEnd } = segment;
    let from = -1;
    names.begin(client);
    for (let i = 0; i < parameterCount; i++) {
      const span = parameterSpan[i]!;
      if (from >= 0 && span !== from) break;
      const source = parameterSource[i]!;
      if (source !== ParameterSource.path) {
        if (source !== ParameterSource.query && source !== ParameterSource.body && source !== ParameterSource.rpc)
          continue;
        if ((marksOf(parameterName[i]!) & Name.object) === 0) continue;
      }
      if (parameterEnd[i]! <= parameterStart[i]!) continue;
      from = span;
      names.offer(segment.label[span]!, parameterName[i]!, i, source === ParameterSource.path);
    }
    if (from < 0) return NO_OBJECTS;
    names.choose();
    const objects: TouchedObject[] = [];
    for (let n = 0; n < names.count; n++) {
      const i = names.placeAt(n);
      const name = parameterName[i]!;
      const kind = names.nameAt(n);
      const start = parameterStart[i]!;
      const end = parameterEnd[i]!;
      const hashed = hash.of(kind.high, kind.low, segment.values, start, end);
      let repeated = false;
      for (let m = 0; m < n; m++) if (hashes[m] === hashed) repeated = true;
      hashes[n] = hashed;
      if (repeated) continue;
      const mayCount = parameterSource[i] === ParameterSource.path || (marksOf(name) & Name.number) !== 0;
      objects.push({
        kind: kind.text,
        hash: hashed,
        number: mayCount ? plainInteger(segment.values, start, end) : null,
      });
    }
    return objects;
  }

  /** Of the entry, or of a server that it asked, where the request names an account. */
  function loginIn(segment: Segment): LoginAttempt | null {
    if (segment.asynchronous) return null;
    let at = -1;
    for (let i = 0; i < segment.spanCount && at < 0; i++) {
      if ((i === 0 || segment.kind[i] === SpanKind.server) && isLoginLabel(segment.label[i]!)) at = i;
    }
    if (at < 0) return null;
    const account = accountOf(segment);
    if (at > 0 && account === '') return null;
    let succeeded = loginSucceeded(segment.outcome[at]!, segment.httpStatus[at]!, account !== '');
    // who answers 200 and says no in the body has asked somebody who does say it
    for (let i = at + 1; succeeded === true && i < segment.spanCount; i++) {
      if (
        segment.kind[i] === SpanKind.server &&
        segment.outcome[i] === Outcome.clientError &&
        isLoginLabel(segment.label[i]!)
      )
        succeeded = false;
    }
    return succeeded === null ? null : { account, succeeded };
  }

  function accountOf(segment: Segment): string {
    for (let i = 0; i < segment.parameterCount; i++) {
      const source = segment.parameterSource[i]!;
      if (source === ParameterSource.path || source > ParameterSource.rpc) continue;
      const name = segment.parameterName[i]!;
      if ((marksOf(name) & Name.account) === 0) continue;
      const start = segment.parameterStart[i]!;
      const end = Math.min(segment.parameterEnd[i]!, start + MAX_ACCOUNT_BYTES);
      if (end <= start) continue;
      const account = redactor.value(symbols.text(name), textOf(segment.values, start, end));
      return account === MASK ? '' : account; // all that are masked would be one account
    }
    return segment.account === null ? '' : (redactor.account(segment.account.slice(0, MAX_ACCOUNT_BYTES)) ?? '');
  }

  function responseBytesOf(segment: Segment): number {
    for (let i = 0; i < segment.parameterCount && segment.parameterSpan[i] === 0; i++) {
      if (segment.parameterSource[i] !== ParameterSource.size) continue;
      return plainInteger(segment.values, segment.parameterStart[i]!, segment.parameterEnd[i]!) ?? -1;
    }
    return -1;
  }

  function redacted(client: ClientRecord): ClientRecord {
    const { user, session } = client;
    if (user === null && session === null) return client;
    return {
      ...client,
      user: user === null ? null : memoised(users, user, redactor.user),
      session: session === null ? null : memoised(sessions, session, redactor.secret),
    };
  }

  return {
    request(segment, verdict) {
      return {
        id: verdict.id,
        part: 'request',
        revision: verdict.revision,
        atMs: verdict.appendMs,
        startMs: verdict.startMs,
        service: verdict.service,
        operation: verdict.operation,
        asynchronous: verdict.asynchronous,
        client: redacted(verdict.client),
        outcome: segment.outcome[0]!,
        httpStatus: segment.httpStatus[0]!,
        sampleWeight: segment.sampleWeight,
        responseBytes: responseBytesOf(segment),
        objects: objectsOf(segment, verdict.client.address ?? verdict.client.user ?? ''),
        login: loginIn(segment),
        anomalous: verdict.anomalous,
        p: verdict.p,
        findings: NO_FINDINGS,
      };
    },
    findings(verdict) {
      if (isNobody(verdict.client)) return null;
      let told = toldIn.get(verdict.partition);
      if (told === undefined) {
        told = new Map();
        toldIn.set(verdict.partition, told);
      }
      const client = clientKeyOf(verdict.client);
      const before = told.get(verdict.id);
      const known = before !== undefined && before.client === client ? before.keys : undefined;
      const fresh = verdict.findings.filter((finding) => known === undefined || !known.has(keyOf(finding)));
      // a client that became known only now takes the weak evidence too, which the first part said of nobody
      const isLate = verdict.anomalous && known === undefined && verdict.originState === 'known';
      if (fresh.length === 0 && !isLate) return null;
      told.delete(verdict.id);
      told.set(verdict.id, { client, keys: new Set([...(known ?? []), ...fresh.map(keyOf)]) });
      if (told.size > MAX_TOLD) told.delete(told.keys().next().value!);
      return {
        id: verdict.id,
        part: 'findings',
        revision: verdict.revision,
        atMs: verdict.appendMs,
        startMs: verdict.startMs,
        service: verdict.service,
        operation: verdict.operation,
        asynchronous: verdict.asynchronous,
        client: verdict.client,
        outcome: Outcome.unknown,
        httpStatus: 0,
        sampleWeight: 1,
        responseBytes: -1,
        objects: NO_OBJECTS,
        login: null,
        anomalous: verdict.anomalous,
        p: verdict.p,
        findings: fresh
          .sort((a, b) => Number(b.hard) - Number(a.hard) || b.severity - a.severity)
          .slice(0, MAX_FINDINGS)
          .map(eventFinding),
      };
    },
    drop: (partition) => void toldIn.delete(partition),
  };
}

const eventFinding = ({
  kind,
  explanationKey,
  hard,
  service,
  operation,
  severity,
  startMs,
}: Finding): EventFinding => ({ kind, explanationKey, hard, service, operation, severity, startMs });

const keyOf = ({ kind, explanationKey, service, operation, hard }: Finding): string =>
  `${kind}\n${explanationKey}\n${service}\n${operation}\n${hard}`;

/** Nothing can be counted for it; a client that becomes known later is said then. */
const isNobody = ({ address, user, session, peer }: ClientRecord): boolean =>
  address === null && user === null && session === null && peer === undefined;

const clientKeyOf = ({ address, user }: ClientRecord): string => `${address ?? ''}\n${user ?? ''}`;

function grown(marks: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(marks.length * 2, index + 1));
  larger.set(marks);
  return larger;
}

function memoised<T extends string | null>(memo: Map<string, T>, text: string, redact: (text: string) => T): T {
  let known = memo.get(text);
  if (known === undefined) {
    known = redact(text);
    if (memo.size >= MAX_CLIENTS) memo.clear();
    memo.set(text, known);
  }
  return known;
}
