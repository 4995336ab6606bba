/**
 * What people need beside the findings of a verdict: expected and seen calls, what was reached, which tables and sensitive
 * fields were touched. Names only. Made for verdicts that are told, of the segment and the version alone, so that a replay says the same.
 */
import type { Baseline } from '../../baseline/baseline.ts';
import type { JudgementStage } from '../../baseline/model.ts';
import type { Verdict, VerdictStory } from '../../schemas/log/verdict.ts';
import { SpanKind } from '../../schemas/otlp/fields.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import { ParameterSource, type Segment, type SegmentSpans, spanIdHex } from '../../traces/segment.ts';
import { OVERFLOW_TEXT } from '../../traces/symbols.ts';
import { sensitiveAttributes } from './attribute-names.ts';
import { namesInStatement } from './statement-names.ts';

export interface StoryDeps {
  /** Whether redaction calls what stands under the name a secret, whatever it then does with it. */
  isSensitive(name: string): boolean;
}

const SERVICE = 'service:';
const MOST = 32;
/** Statements of one segment that are looked into, and characters of all; the same one is looked into once. */
const MAX_STATEMENTS = 32;
const MAX_SCANNED = 32_768;
const MAX_NAME = 200;

/** Columns that hold what is private to people, by the parts of their names. */
const PRIVATE_COLUMN =
  /(?:^|_)(?:card|cardnumber|pan|cvv|cvc|email|mail|password|passwd|pwd|iban|bic|ssn|nin|passport|birth|birthday|birthdate|dob|phone|mobile|address|street|salary|tax|secret|token|apikey)(?:_|$)/;

/** Systems of messages: the second word of their operations is a destination, no table. */
const MESSAGING =
  /kafka|rabbit|activemq|artemis|sqs|sns|eventgrid|eventhub|servicebus|pubsub|jms|pulsar|rocketmq|nats|mqtt/i;

/** Called right after the version judged the segment, read from `spans`, at that stage. */
export function storyOf(
  spans: SegmentSpans,
  segment: Segment,
  verdict: Verdict,
  baseline: Pick<Baseline, 'chains'>,
  stage: JudgementStage,
  deps: StoryDeps,
): VerdictStory {
  const { tables, fields } = touchedBy(spans, segment, deps);
  return {
    ...baseline.chains(segment, stage, labelsOf(segment, verdict)),
    reached: reachedBy(segment),
    tables,
    fields,
  };
}

/** Labels of the spans that findings are about. */
function labelsOf(segment: Segment, { findings }: Verdict): Set<number> {
  const wanted = new Set(findings.map(({ spanId }) => spanId));
  const labels = new Set<number>();
  for (let i = 0; i < segment.spanCount && wanted.size > 0; i++) {
    if (wanted.delete(spanIdHex(segment, i))) labels.add(segment.label[i]!);
  }
  return labels;
}

/** Services, then what they called that has no spans of its own, in order of first call. */
function reachedBy(segment: Segment): string[] {
  const { symbols } = segment;
  const first = new Map<string, number>();
  const note = (name: string, span: number): void => {
    const at = segment.startNs[span]!;
    const known = first.get(cut(name));
    if (name !== '' && (known === undefined || at < known)) first.set(cut(name), at);
  };
  // a call has two names, its callee's and its address: the address counts where nobody answered under a name
  const named = new Set<number>();
  const addressed = new Set<number>();
  const called = egressOf(segment);
  for (const [span, text] of called) {
    if (!text.startsWith(SERVICE)) continue;
    named.add(span);
    note(text.slice(SERVICE.length), span);
  }
  for (const [span, text] of called) {
    if (named.has(span)) continue;
    addressed.add(span);
    const peer = symbols.text(symbols.labelOf(segment.label[span]!).peer);
    note(peer === '' ? text : `${peer} ${text}`, span);
  }
  for (let i = 0; i < segment.spanCount; i++) {
    note(symbols.text(segment.service[i]!), i);
    const peer = symbols.text(symbols.labelOf(segment.label[i]!).peer);
    const calls = segment.kind[i] === SpanKind.client || segment.kind[i] === SpanKind.producer;
    if (calls && !addressed.has(i)) note(peer, i);
  }
  return [...first]
    .sort((a, b) => a[1] - b[1])
    .slice(0, MOST)
    .map(([name]) => name);
}

function egressOf(segment: Segment): [span: number, text: string][] {
  const called: [number, string][] = [];
  for (let i = 0; i < segment.parameterCount; i++) {
    if (segment.parameterSource[i] !== ParameterSource.egress) continue;
    called.push([
      segment.parameterSpan[i]!,
      textOf(segment.values, segment.parameterStart[i]!, segment.parameterEnd[i]!),
    ]);
  }
  return called;
}

function touchedBy(
  spans: SegmentSpans,
  segment: Segment,
  { isSensitive }: StoryDeps,
): { tables: string[]; fields: string[] } {
  const { symbols } = segment;
  const tables = new Set<string>();
  const fields = new Set<string>();
  const add = (to: Set<string>, name: string): void => {
    if (to.size < MOST && name !== '' && name !== OVERFLOW_TEXT && name !== '(none)') to.add(cut(name));
  };
  const told = new Set<string>();
  let scanned = 0;
  const spansTold = new Set<number>();
  const names = new Set<number>();
  for (let i = 0; i < segment.parameterCount; i++) {
    const source = segment.parameterSource[i]!;
    const name = segment.parameterName[i]!;
    if (source !== ParameterSource.path && !names.has(name)) {
      names.add(name);
      if (isSensitive(symbols.text(name))) add(fields, symbols.text(name));
    }
    if (source !== ParameterSource.statement || told.size >= MAX_STATEMENTS || scanned >= MAX_SCANNED) continue;
    const statement = textOf(segment.values, segment.parameterStart[i]!, segment.parameterEnd[i]!);
    spansTold.add(segment.parameterSpan[i]!);
    if (told.has(statement)) continue;
    told.add(statement);
    scanned += statement.length;
    const found = namesInStatement(statement);
    for (const table of found.tables) add(tables, table);
    for (const column of found.selected) if (isPrivateColumn(column) || isSensitive(column)) add(fields, column);
  }
  for (const name of sensitiveAttributes(spans, isSensitive)) add(fields, name);
  for (let i = 0; i < segment.spanCount; i++) {
    if (spansTold.has(i) || segment.kind[i] !== SpanKind.client) continue;
    const { peer, operation } = symbols.labelOf(segment.label[i]!);
    if (peer === 0 || MESSAGING.test(symbols.text(peer))) continue;
    // `SELECT orders`, `find users`: operation and collection, or a summary of the statement
    const [, table] = /^\w+ ([^\s{]+)$/.exec(symbols.text(operation)) ?? [];
    if (table !== undefined) add(tables, table);
  }
  return { tables: [...tables], fields: [...fields] };
}

/** `cardNumber`, `card_number`, `CARD-NUMBER`. */
const isPrivateColumn = (column: string): boolean =>
  PRIVATE_COLUMN.test(
    column
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll('-', '_')
      .toLowerCase(),
  );

const cut = (name: string): string => (name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name);
