/**
 * Telemetry that got lost, as far as other spans tell of it: client calls that succeeded and of which no span of the
 * service called came, by that service and over all roots; and spans whose parent never came.
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Mass, TelemetryLine } from './entries.ts';
import type { AnswerFacts, Links } from './links.ts';
import type { StructurePartial } from './partial.ts';

/**
 * Label hash of a client call → the service that most of its answers are in. Calls that mostly have no answer go where no
 * telemetry comes from. A span of unspecified kind is a client call where what is beneath it bears its name.
 */
export function answeringServices(links: Links): Map<number, string> {
  const found = new Map<number, string>();
  for (const { label, answered, silent } of links.answers.values()) {
    if (answered < silent) continue;
    const caller = links.serviceOf(label);
    let most: { service: string; count: number; child: number } | undefined;
    for (const edge of links.edgesOf.get(label) ?? []) {
      const service = links.serviceOf(edge.child);
      if (service === caller || (most !== undefined && edge.all.count <= most.count)) continue;
      most = { service, count: edge.all.count, child: edge.child };
    }
    if (most === undefined) continue;
    const client = links.kindOf(label) === SpanKind.client;
    if (client || links.operationOf(label) === links.operationOf(most.child)) found.set(label, most.service);
  }
  return found;
}

/** By service called: calls without an answer, of all. */
export function telemetryLines(links: Links, answeredBy: ReadonlyMap<number, string>): [string, TelemetryLine][] {
  const services = new Map<string, { missing: number; of: number }>();
  for (const [label, service] of answeredBy) {
    const { answered, silent }: AnswerFacts = links.answers.get(label)!;
    const known = services.get(service) ?? { missing: 0, of: 0 };
    known.missing += silent;
    known.of += answered + silent;
    services.set(service, known);
  }
  return [...services].sort((x, y) => (x[0] < y[0] ? -1 : 1));
}

/** Over all services: what stands in for one that no client span tells of. */
export function lostSpans(partial: StructurePartial, telemetry: readonly (readonly [string, TelemetryLine])[]): Mass {
  let lost = partial.orphans;
  let of = partial.spans;
  for (const [, line] of telemetry) {
    lost += line.missing;
    of += line.of;
  }
  return [lost, of];
}
