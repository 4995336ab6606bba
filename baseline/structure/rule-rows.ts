/** Rules as scoring reads them: what telemetry that gets lost takes from a violation, and how sure one makes. */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Symbols } from '../../traces/segment.ts';
import type { RuleLine, StructureLines } from './entries.ts';

export interface RuleRow {
  readonly line: RuleLine;
  /** Label index of what is required, −1 when it was not learned this time. */
  readonly required: number;
  /** Its id in the model's symbol table. */
  readonly id: number;
  /** Of a violation at one opportunity, lost telemetry counted in. */
  readonly p: number;
  readonly hard: boolean;
  /**
   * What is required is one span: losing it looks like leaving it out, so whoever sees many requests has to agree that
   * it is no loss.
   */
  readonly candidate: boolean;
  /** The client span is there, what is missing is its server's: the call was made. */
  readonly calledAnyway: boolean;
}

/** From this share of its calls on, the telemetry of a call is lost too often for its absence to be near-certain. */
const LOST_TOO_OFTEN = 1e-3;
/** Client calls that must tell of a service before its own rate of loss is known. */
const LEAST_TOLD = 30;

/** Share of the spans of a service that never come: its own, or what is known over all services. */
export function lossOf(lines: StructureLines): (service: string) => number {
  const byService = new Map(lines.telemetry);
  const [lost, of] = lines.totals.lost;
  const overall = of < LEAST_TOLD ? 0 : lost / of;
  return (service) => {
    const line = byService.get(service);
    return line === undefined || line.of < LEAST_TOLD ? overall : line.missing / line.of;
  };
}

export interface RuleContext {
  readonly symbols: Symbols;
  readonly lines: StructureLines;
  /** Label index of a text, undefined when not learned. */
  index(text: string): number | undefined;
  idOf(label: number): number;
  /** The child that most calls of a label make, with their share; undefined when it makes none as a rule. */
  mainChild(label: number): { readonly label: number; readonly share: number } | undefined;
}

/** At least so many calls have a child: then the telemetry of the call is more than one span. */
const HAS_CHILD_SHARE = 0.5;

export function ruleRow(
  line: RuleLine,
  subject: number,
  context: RuleContext,
  loss: (service: string) => number,
): RuleRow {
  const { symbols } = context;
  const required = context.index(line.required);
  // A rule outlives what it requires: when the required call was not seen for a whole window, it is still missing.
  const id = required === undefined ? symbols.labelFromText(line.required) : context.idOf(required);
  const own = symbols.labelOf(context.idOf(subject));
  const other = symbols.labelOf(id);
  const crosses = own.service !== other.service;
  const calledAnyway =
    line.form === 'child' &&
    crosses &&
    (own.kind === SpanKind.client ||
      own.kind === SpanKind.producer ||
      (own.kind === SpanKind.unspecified && own.operation === other.operation));
  // All spans of a call must be lost for it to seem left out: those of two services, each by its own chance; those of
  // one, whose exporter may fail as a whole, by one chance unless it is the exporter that the caller's span came by.
  const main = required === undefined ? undefined : context.mainChild(required);
  const below =
    main !== undefined && main.share >= HAS_CHILD_SHARE ? symbols.labelOf(context.idOf(main.label)) : undefined;
  let lost = loss(symbols.text(other.service));
  if (below !== undefined && (!crosses || below.service !== other.service)) lost *= loss(symbols.text(below.service));
  const child = line.form === 'child';
  const sure = !calledAnyway && (!child || lost < LOST_TOO_OFTEN);
  const alone = child && below === undefined;
  return {
    line,
    required: required ?? -1,
    id,
    p: child ? line.p + lost - line.p * lost : line.p,
    hard: sure && !alone,
    candidate: sure && alone,
    calledAnyway,
  };
}
