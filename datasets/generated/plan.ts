/**
 * One request carried out: a system's programme → the spans it leaves, with times, statuses and attributes. Costs log-normal
 * time a step; calls fail and are retried up to three times, services refuse, clients give up half way.
 */

import { SpanKind, StatusCode } from '../../schemas/otlp/fields.ts';
import type { Random } from '../load/random.ts';
import type { Client } from './clients.ts';
import type { Call, Entry, Fetch, Publish, Query, Step, System } from './system.ts';
import { normal } from './values.ts';

export type Attribute = string | number;

export interface PlannedSpan {
  readonly service: string;
  readonly kind: number;
  name: string;
  /** Index of the parent in the plan; −1 for the entry. Parents come first. */
  parent: number;
  /** Milliseconds since the trace's start. */
  startMs: number;
  endMs: number;
  status: number;
  exception: boolean;
  /** Index of the producer span it links to; −1 without. */
  readonly link: number;
  /** Key, value, key, value, … */
  readonly attributes: Attribute[];
}

export interface Plan {
  readonly system: System;
  readonly entry: Entry;
  readonly client: Client;
  readonly spans: PlannedSpan[];
  /** Gave up half way. */
  readonly aborted: boolean;
  /** Steps carried out. */
  readonly steps: number;
}

export interface Circumstances {
  readonly random: Random;
  readonly client: Client;
  /** Factor on all times: load is the same for requests of the same moment. */
  readonly load: number;
  /** Service that stalls at the moment, '' mostly, and by what factor. */
  readonly stalled: string;
  readonly stallFactor: number;
  readonly deployed: boolean;
  /** Steps after which the client gives up; never without. */
  readonly patience?: number;
}

const FINE = 0;
const ABORTED = 499;
const FAILED = 500;
const MOST_ATTEMPTS = 4;
/** One step in so many waits for a garbage collector, a lock or a page. */
const HICCUP = 3e-4;

const GRPC_CODES: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  402: 9,
  403: 7,
  404: 5,
  409: 9,
  499: 1,
  500: 13,
  503: 14,
};

export function planRequest(system: System, entry: Entry, circumstances: Circumstances): Plan {
  const { random, client, load, stalled, stallFactor, deployed } = circumstances;
  const spans: PlannedSpan[] = [];
  const values: Record<string, string> = {};
  for (const { name, share, value } of entry.parameters) {
    if (share === undefined || random.chance(share)) values[name] = value(random);
  }
  /** Steps until the client gives up. */
  let patience = circumstances.patience ?? Number.POSITIVE_INFINITY;
  let taken = 0;

  function cost(service: string, ms: number, sigma: number): number {
    let spent = ms * load * Math.exp(sigma * normal(random));
    if (service === stalled) spent *= stallFactor;
    if (random.chance(HICCUP)) spent += 20 + 60 * Math.exp(normal(random));
    return spent;
  }

  function open(service: string, kind: number, name: string, parent: number, startMs: number, link = -1): number {
    const status = StatusCode.unset;
    spans.push({
      service,
      kind,
      name,
      parent,
      startMs,
      endMs: startMs,
      status,
      exception: false,
      link,
      attributes: [],
    });
    return spans.length - 1;
  }

  /** Where the time stands after the last steps of each kind. */
  let now = 0;

  /** Carries out steps from `now` on; the status that ended them early, 0 = none. */
  function run(steps: readonly Step[], service: string, parent: number): number {
    for (const step of steps) {
      if (step.deployed === true && !deployed) continue;
      if (step.with !== undefined && values[step.with] === undefined) continue;
      if (step.share !== undefined && !random.chance(step.share)) continue;
      const times = step.times === undefined ? 1 : step.times(random);
      for (let i = 0; i < times; i++) {
        if (step.does === 'refuse') return step.status;
        if (patience-- <= 0) return ABORTED;
        taken++;
        const outcome = carryOut(step, service, parent);
        if (outcome !== FINE) return outcome;
      }
    }
    return FINE;
  }

  function carryOut(step: Exclude<Step, { does: 'refuse' }>, service: string, parent: number): number {
    switch (step.does) {
      case 'call':
        return tried(step, () => call(step, service, parent));
      case 'fetch':
        return tried(step, () => fetch(step, service, parent));
      case 'query':
        return query(step, service, parent);
      case 'publish':
        return publish(step, service, parent);
      case 'command': {
        const i = open(service, SpanKind.client, step.verb, parent, now);
        spans[i]!.attributes.push(
          'db.system.name',
          'redis',
          'db.operation.name',
          step.verb,
          'server.address',
          `${service}-cache`,
          'server.port',
          6379,
        );
        now += cost(service, step.ms, 0.3);
        spans[i]!.endMs = now;
        return FINE;
      }
      case 'internal': {
        const i = open(service, SpanKind.internal, step.name, parent, now);
        now += cost(service, step.ms, 0.3);
        const outcome = run(step.steps, service, i);
        spans[i]!.endMs = now;
        return outcome;
      }
      case 'together': {
        const start = now;
        let end = now;
        let outcome = FINE;
        for (const one of step.steps) {
          now = start + random.next() * 0.3;
          const its = run([one], service, parent);
          end = Math.max(end, now);
          if (its !== FINE) outcome = its;
        }
        now = end;
        return outcome;
      }
      case 'choice':
        return run(random.weighted(step.ways.map(([weight, way]) => [way, weight] as const)), service, parent);
    }
  }

  /** Retries what failed, at most three times, waiting longer each time. */
  function tried(_step: Call | Fetch, attempt: () => number): number {
    for (let i = 1; ; i++) {
      const outcome = attempt();
      if (outcome !== FAILED || i === MOST_ATTEMPTS || !random.chance(0.9)) return outcome;
      now += 5 * 2 ** i * (0.5 + random.next());
    }
  }

  function call(step: Call, service: string, parent: number): number {
    const { protocol, operation } = step;
    const rpc = protocol === 'grpc';
    const method = rpc ? 'POST' : operation.slice(0, operation.indexOf(' '));
    const route = rpc ? `/${operation}` : operation.slice(operation.indexOf(' ') + 1);
    const path = rpc ? route : filled(route, values, random);
    const i = open(service, SpanKind.client, rpc ? operation : method, parent, now);
    const broken = step.fails !== undefined && random.chance(step.fails);
    let outcome: number = broken ? FAILED : FINE;
    now += 0.1 + 0.2 * load * random.next(); // network and queueing
    if (!broken || random.chance(0.5)) {
      const s = open(step.service, SpanKind.server, rpc ? operation : `${method} ${route}`, i, now);
      const spent = cost(step.service, step.ms, step.sigma ?? 0.3);
      const before = spent * (0.3 + 0.4 * random.next());
      now += before;
      if (broken) spans[s]!.exception = true;
      else outcome = run(step.steps, step.service, s);
      if (outcome === FINE) now += spent - before;
      const there = spans[s]!;
      there.endMs = now;
      const peer = addressOf(service);
      if (rpc) {
        there.attributes.push('rpc.system.name', 'grpc', 'rpc.method', operation, 'network.peer.address', peer);
        there.attributes.push('rpc.response.status_code', outcome === FINE ? 0 : (GRPC_CODES[outcome] ?? 2));
      } else {
        there.attributes.push(
          'http.request.method',
          method,
          'http.route',
          route,
          'url.path',
          path,
          'url.scheme',
          'http',
        );
        there.attributes.push(
          'network.peer.address',
          peer,
          'http.response.status_code',
          outcome === FINE ? 200 : outcome,
        );
      }
      if (outcome >= FAILED) there.status = StatusCode.error;
      now += 0.1 + 0.1 * random.next();
    } else now += broken && random.chance(0.3) ? 1_000 : 1; // a timeout, or nobody listened
    const here = spans[i]!;
    here.endMs = now;
    if (rpc) {
      here.attributes.push(
        'rpc.system.name',
        'grpc',
        'rpc.method',
        operation,
        'server.address',
        step.service,
        'server.port',
        9000,
      );
      here.attributes.push('rpc.response.status_code', outcome === FINE ? 0 : (GRPC_CODES[outcome] ?? 2));
    } else {
      here.attributes.push(
        'http.request.method',
        method,
        'url.full',
        `http://${step.service}:8080${path}`,
        'url.template',
        route,
      );
      here.attributes.push('server.address', step.service, 'server.port', 8080);
      if (outcome !== ABORTED) here.attributes.push('http.response.status_code', outcome === FINE ? 200 : outcome);
    }
    if (outcome !== FINE) here.status = StatusCode.error;
    return outcome;
  }

  function fetch(step: Fetch, service: string, parent: number): number {
    const i = open(service, SpanKind.client, step.method, parent, now);
    now += cost(step.host, step.ms, step.sigma ?? 0.3);
    const span = spans[i]!;
    span.endMs = now;
    const broken = step.fails !== undefined && random.chance(step.fails);
    span.attributes.push(
      'http.request.method',
      step.method,
      'url.full',
      `https://${step.host}${step.path}`,
      'url.template',
      step.path,
    );
    span.attributes.push(
      'server.address',
      step.host,
      'server.port',
      443,
      'http.response.status_code',
      broken ? 503 : 200,
    );
    if (!broken) return FINE;
    span.status = StatusCode.error;
    return FAILED;
  }

  function query(step: Query, service: string, parent: number): number {
    const i = open(service, SpanKind.client, `${step.verb} ${step.table}`, parent, now);
    now += cost(service, step.ms, step.sigma ?? 0.35);
    const span = spans[i]!;
    span.endMs = now;
    span.attributes.push('db.system.name', step.system, 'db.namespace', service, 'db.operation.name', step.verb);
    span.attributes.push('db.collection.name', step.table, 'db.query.text', step.statement(values, random));
    span.attributes.push('server.address', `${service}-db`, 'server.port', 5432);
    return FINE;
  }

  function publish(step: Publish, service: string, parent: number): number {
    const i = open(service, SpanKind.producer, `send ${step.topic}`, parent, now);
    now += cost(service, 0.8, 0.3);
    const span = spans[i]!;
    span.endMs = now;
    span.attributes.push(
      'messaging.system',
      'kafka',
      'messaging.destination.name',
      step.topic,
      'messaging.operation.type',
      'send',
    );
    const back = now;
    const left = patience;
    patience = Number.POSITIVE_INFINITY; // whoever waits for the answer does not stop what was queued
    now += cost(step.service, step.lagMs, 0.5);
    const c = open(step.service, SpanKind.consumer, `process ${step.topic}`, i, now, i);
    now += cost(step.service, step.ms, 0.3);
    const outcome = run(step.steps, step.service, c);
    const consumer = spans[c]!;
    consumer.endMs = now;
    consumer.attributes.push(
      'messaging.system',
      'kafka',
      'messaging.destination.name',
      step.topic,
      'messaging.operation.type',
      'process',
    );
    consumer.attributes.push('messaging.consumer.group.name', step.service);
    if (outcome !== FINE) {
      consumer.status = StatusCode.error;
      consumer.exception = true;
    }
    now = back;
    patience = left;
    return FINE;
  }

  const e = open(system.edge, SpanKind.server, `${entry.method} ${entry.route}`, -1, 0);
  const spent = cost(system.edge, entry.ms, 0.3);
  const before = spent * (0.3 + 0.4 * random.next());
  now = before;
  const outcome = run(entry.steps, system.edge, e);
  if (outcome === FINE) now += spent - before;
  const root = spans[e]!;
  root.endMs = now;
  root.attributes.push(...entryAttributes(entry, values, client, random));
  root.attributes.push('http.response.status_code', outcome === FINE ? 200 : outcome);
  const bytes = outcome === FINE ? entry.bytes * Math.exp(0.4 * normal(random)) : 40 + random.below(80);
  root.attributes.push('http.response.body.size', Math.round(bytes));
  if (outcome >= FAILED) root.status = StatusCode.error;
  return { system, entry, client, spans, aborted: outcome === ABORTED, steps: taken };
}

/** What the edge's span says of the request. */
function entryAttributes(
  entry: Entry,
  values: Readonly<Record<string, string>>,
  client: Client,
  random: Random,
): Attribute[] {
  const path = filled(entry.route, values, random);
  const attributes: Attribute[] = ['http.request.method', entry.method, 'http.route', entry.route, 'url.path', path];
  let query = '';
  for (const { name, place } of entry.parameters) {
    const value = values[name];
    if (value === undefined || place === 'path') continue;
    if (place === 'query')
      query += `${query === '' ? '' : '&'}${name}=${encodeURIComponent(value).replaceAll('%20', '+')}`;
    else attributes.push(`http.request.${place}.${name}`, value);
  }
  if (query !== '') attributes.push('url.query', query);
  attributes.push('url.scheme', 'https', 'server.address', 'market.example', 'server.port', 443);
  attributes.push(
    'client.address',
    client.address,
    'network.peer.address',
    client.address,
    'user_agent.original',
    client.userAgent,
  );
  if (client.user !== '') attributes.push('user.id', client.user);
  return attributes;
}

/** `/items/{id}` with the request's own value, or a number where it has none of that name. */
function filled(route: string, values: Readonly<Record<string, string>>, random: Random): string {
  if (!route.includes('{')) return route;
  return route.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(values[name] ?? String(1 + random.below(40_000))),
  );
}

/** An inside address that is the service's own. */
function addressOf(service: string): string {
  let sum = 0;
  for (let i = 0; i < service.length; i++) sum = (sum * 31 + service.charCodeAt(i)) >>> 0;
  return `10.0.${sum % 250}.${1 + ((sum >>> 8) % 250)}`;
}
