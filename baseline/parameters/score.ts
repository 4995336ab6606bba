/**
 * Scores the parameters of a segment under one version. Values seen lately cost a hash and a comparison; new ones a pass
 * over their bytes; only what deviates makes objects.
 */
import type { Finding } from '../../schemas/log/verdict.ts';
import { ParameterSource, type Segment } from '../../traces/segment.ts';
import { type Evidence, JudgementStage, NO_FINDINGS } from '../model.ts';
import { KEY_MASK, keyOf } from './counts.ts';
import {
  clientsText,
  deviations,
  dictionarySize,
  familyNames,
  findingAt,
  grouped,
  typeText,
  valueText,
} from './explain.ts';
import { Kind, SchemaKind } from './features.ts';
import { createCombination, groupOf, PartGroup } from './groups.ts';
import { fillHomes, isOutgoing } from './homes.ts';
import { judgeCalls } from './judge-call.ts';
import { createValueJudgement, judgeShape, outsideAt, type ValueJudgement } from './judge-value.ts';
import { createMemo, MAX_MEMO_BYTES, sampleHash } from './memo.ts';
import { familyById } from './patterns/matcher.ts';
import type { PatternFamily } from './patterns/pattern.ts';
import { compileProfile, octavesOutside, ordinalInverse, type Profile } from './profile.ts';
import { createParameterReader } from './reader.ts';
import { createSchemaReader } from './schema-keys.ts';
import { isCallSource } from './sources.ts';
import { createOutsideLiteral } from './statements/outside-literal.ts';
import type { ModelTables, OperationTable } from './tables.ts';

/** Findings kept of one segment, by 1/p. */
const MAX_FINDINGS = 16;

/** Judges nothing: of parameters that nobody knows only attack patterns are looked at. */
const BLANK: Profile = compileProfile({
  source: 0,
  name: '',
  n: 0,
  hits: 0,
  clients: 0,
  buckets: 0,
  quarantined: 0,
  state: 'learning',
  kinds: [],
  hitKinds: [],
  texts: [],
  pending: [],
  anyPublic: false,
});

export const createScorer = (tables: ModelTables, seed: number, families?: readonly PatternFamily[]) => {
  const reader = createParameterReader(seed, families);
  const schema = createSchemaReader(seed);
  const memo = createMemo();
  // Parts of the combination: profiles, then operations' schemas, then each group's values without a profile.
  const schemaPart = tables.profiles.length;
  const loosePart = schemaPart + tables.operations.length;
  const combination = createCombination(
    Uint8Array.from([
      ...tables.profiles.map(({ data }) => groupOf(data.source)),
      ...tables.operations.map(() => PartGroup.schema),
      PartGroup.schema,
      PartGroup.request,
      PartGroup.headers,
      PartGroup.calls,
    ]),
  );
  // The schema met last in each operation, and its 1/p: nearly always the next one too.
  const lastSet = new Float64Array(tables.operations.length).fill(-1);
  const lastOrder = new Float64Array(tables.operations.length).fill(-1);
  const lastInverse = new Float64Array(tables.operations.length);
  const judgement: ValueJudgement = createValueJudgement();
  const outside = createOutsideLiteral(seed);
  const calls = judgeCalls(tables, reader, outside, seed);
  let homes = new Int32Array(64);

  // What one score() gathers.
  let severity = 0;
  let observed = 0;
  let features = 0;
  let judged = 0;
  let strange = 0;
  let findings: Finding[] = NO_FINDINGS;
  let beyond: readonly Finding[] = NO_FINDINGS;

  /** The same bytes as the value before under the same profile in this segment: no new evidence. */
  const isRepeated = (segment: Segment, part: number, at: number): boolean => {
    const last = combination.swap(part, at);
    if (last < 0) return false;
    const start = segment.parameterStart[at]!;
    const before = segment.parameterStart[last]!;
    const length = segment.parameterEnd[at]! - start;
    if (segment.parameterEnd[last]! - before !== length) return false;
    const { values } = segment;
    for (let i = 0; i < length; i++) if (values[start + i] !== values[before + i]) return false;
    return true;
  };

  const note = (finding: Finding): void => {
    if (findings === NO_FINDINGS) findings = [];
    findings.push(finding);
  };

  const patternFinding = (
    segment: Segment,
    at: number,
    span: number,
    profile: Profile,
    bits: number,
    hard: boolean,
    support: number,
    inName: boolean,
    p: number,
  ): Finding => {
    const name = segment.symbols.text(segment.parameterName[at]!);
    const operation = segment.symbols.text(segment.operation[span]!);
    const names = familyNames(bits);
    const family = names[0]!;
    const known = profile.data.n > 0;
    const shape = reader.shape(
      segment.values,
      segment.parameterStart[at]!,
      segment.parameterEnd[at]!,
      segment.parameterSource[at]!,
    );
    return findingAt(segment, span, {
      kind: 'attack-pattern',
      hard,
      explanationKey: `${operation} · ${name} · ${family}`,
      home: span,
      parameter: name,
      expected: known
        ? `\`${name}\` ${typeText(profile.data)}${clientsText(profile.data.clients)}; none looked like ${family}`
        : `no parameter \`${name}\` in ${grouped(support)} requests`,
      seen: inName
        ? `parameter name that looks like ${names.join(' and ')}`
        : `${names.join(' and ')} (${familyById(31 - Math.clz32(bits & -bits))?.reference ?? ''}): ${valueText(known ? profile : null, shape, reader)}`,
      support,
      severity: judgement.severity,
      p,
    });
  };

  /** A value that memo or judgement found remarkable: its findings. `judgement` is filled anew. */
  const explainValue = (segment: Segment, at: number, span: number, profile: Profile): void => {
    const source = segment.parameterSource[at]!;
    const start = segment.parameterStart[at]!;
    const end = segment.parameterEnd[at]!;
    const shape = reader.shape(segment.values, start, end, source);
    judgeShape(profile, shape, reader, judgement);
    const { data } = profile;
    if (judgement.hostile !== 0) {
      note(
        patternFinding(
          segment,
          at,
          span,
          profile,
          judgement.hostile,
          data.state !== 'observe',
          data.n + data.hits,
          false,
          1 / judgement.inverse,
        ),
      );
      return;
    }
    const name = segment.symbols.text(segment.parameterName[at]!);
    const operation = segment.symbols.text(segment.operation[span]!);
    const values = dictionarySize(data);
    const enumerated = judgement.kinds[Kind.value]! >= outsideAt(profile) && values > 0;
    note(
      findingAt(segment, span, {
        kind: 'parameter',
        hard: false,
        explanationKey: `${operation} · ${name}`,
        home: span,
        parameter: name,
        expected: `\`${name}\` ${typeText(data)}${clientsText(data.clients)}${enumerated ? `, one of ${values} known values` : ''}`,
        seen: `now ${valueText(profile, shape, reader)}; unusual: ${deviations(judgement, Math.min(outsideAt(profile), judgement.worst))}`,
        support: data.n,
        severity: judgement.severity,
        p: 1 / judgement.inverse,
      }),
    );
  };

  /** A request or header value under its profile; index < 0 for a back-off profile, which the memo does not know. */
  const judgeValue = (
    segment: Segment,
    at: number,
    span: number,
    profile: Profile,
    index: number,
    group: PartGroup,
  ): void => {
    const { values } = segment;
    const start = segment.parameterStart[at]!;
    const end = segment.parameterEnd[at]!;
    const source = segment.parameterSource[at]!;
    judged++;
    const hash = sampleHash(values, start, end);
    if (index >= 0) {
      if (isRepeated(segment, index, at)) return;
      if (memo.find(index, hash, values, start, end)) {
        combination.add(index, memo.inverse);
        if (memo.severity > severity) severity = memo.severity;
        if (memo.remarkable) {
          strange++;
          explainValue(segment, at, span, profile);
        }
        return;
      }
    }
    const shape = reader.shape(values, start, end, source);
    judgeShape(profile, shape, reader, judgement);
    const { inverse } = judgement;
    const valueSeverity = judgement.severity;
    const remarkable = judgement.hostile !== 0 || judgement.worst >= outsideAt(profile);
    combination.add(index >= 0 ? index : loosePart + group, inverse);
    if (valueSeverity > severity) severity = valueSeverity;
    if (index >= 0 && end - start <= MAX_MEMO_BYTES) {
      memo.remember(index, hash, values, start, end, inverse, valueSeverity, remarkable);
    }
    if (remarkable) {
      strange++;
      explainValue(segment, at, span, profile);
    }
  };

  /** A parameter of a known operation that the operation never had. */
  const judgeUnknown = (
    segment: Segment,
    at: number,
    span: number,
    operation: OperationTable,
    source: number,
  ): void => {
    judged++;
    const backOff = tables.backOff(operation.service, segment.parameterName[at]!, source);
    if (backOff !== null) {
      judgeValue(segment, at, span, backOff, -1, groupOf(source));
      judged--;
      return;
    }
    // Nothing is known of it but the operation: an attack pattern in it has had no benign hit in all its requests.
    const shape = reader.shape(segment.values, segment.parameterStart[at]!, segment.parameterEnd[at]!, source);
    judgeShape(BLANK, shape, reader, judgement);
    if (judgement.hostile === 0) return;
    strange++;
    const p = Math.max(operation.floor, 1e-12);
    combination.add(loosePart + groupOf(source), 1 / p);
    if (judgement.severity > severity) severity = judgement.severity;
    note(
      patternFinding(
        segment,
        at,
        span,
        BLANK,
        judgement.hostile,
        operation.data.state === 'active',
        operation.data.n,
        false,
        p,
      ),
    );
  };

  const judgeSize = (segment: Segment, at: number, span: number, profile: Profile, index: number): void => {
    const key = reader.size(segment.values, segment.parameterStart[at]!, segment.parameterEnd[at]!);
    if (key === 0) return;
    judged++;
    const bin = key & KEY_MASK;
    const inverse = ordinalInverse(profile, Kind.number, bin);
    combination.add(index, inverse);
    const octaves = octavesOutside(profile, Kind.number, bin);
    if (octaves > severity) severity = octaves;
    if (inverse < outsideAt(profile)) return;
    strange++;
    const operation = segment.symbols.text(segment.operation[span]!);
    note(
      findingAt(segment, span, {
        kind: 'parameter',
        hard: false,
        explanationKey: `${operation} · response size`,
        home: span,
        parameter: 'response size',
        expected: `response size in the range of ${grouped(profile.data.n)} responses`,
        seen: octaves > 0 ? `${octaves.toFixed(1)} octaves outside that range` : 'a size at the edge of that range',
        support: profile.data.n,
        severity: octaves,
        p: 1 / inverse,
      }),
    );
  };

  /** Names and order of a span's parameters. */
  const judgeSchema = (segment: Segment, span: number, from: number, to: number, index: number): void => {
    const operation = tables.operations[index]!;
    features++;
    if (operation.data.state === 'observe') {
      observed++;
      return;
    }
    schema.read(segment, from, to);
    const part = schemaPart + index;
    if (lastSet[index] === schema.set && lastOrder[index] === schema.order) {
      combination.add(part, lastInverse[index]!);
      return;
    }
    const key = keyOf(SchemaKind.set, schema.set);
    const known = operation.sets.known.get(key);
    if (known !== undefined) {
      const order = keyOf(SchemaKind.order, schema.order);
      const inverse = (known + (operation.orders.known.get(order) ?? unlisted(operation.orders, order)) + 1) / 3;
      lastSet[index] = schema.set;
      lastOrder[index] = schema.order;
      lastInverse[index] = inverse;
      combination.add(part, inverse);
      return;
    }
    const set = unlisted(operation.sets, key);
    let names = 1;
    let unseen = 0;
    for (let i = 0; i < schema.count; i++) {
      const name = keyOf(SchemaKind.name, schema.names[i]!);
      if (operation.names.known.has(name)) continue;
      const inverse = unlisted(operation.names, name);
      if (inverse > names) names = inverse;
      if (inverse > 1) unseen++;
      const at = schema.parameters[i]!;
      if (inverse >= Math.min(1_000, 0.5 / operation.floor)) unknownName(segment, at, span, operation, inverse);
    }
    combination.add(part, (set + names + 1) / 3);
    if (unseen > severity) severity = unseen;
  };

  const unlisted = (table: { readonly unseen: number; readonly bound: number }, key: number): number =>
    key > table.bound ? 1 : table.unseen;

  const unknownName = (
    segment: Segment,
    at: number,
    span: number,
    operation: OperationTable,
    inverse: number,
  ): void => {
    const name = segment.symbols.text(segment.parameterName[at]!);
    const text = segment.symbols.text(segment.operation[span]!);
    reader.matcher.matchName(name, reader.hits);
    const bits = reader.hits.strong;
    strange++;
    if (bits !== 0) {
      judgement.severity = 6;
      if (severity < 6) severity = 6;
      note(
        patternFinding(
          segment,
          at,
          span,
          BLANK,
          bits,
          operation.data.state === 'active',
          operation.data.n,
          true,
          1 / inverse,
        ),
      );
      return;
    }
    const known = operation.data.names.keys.length;
    note(
      findingAt(segment, span, {
        kind: 'parameter',
        hard: false,
        explanationKey: `${text} · ${name}`,
        home: span,
        parameter: name,
        expected: `${known} known parameter${known === 1 ? '' : 's'} in ${grouped(operation.data.n)} requests${clientsText(operation.data.clients)}`,
        seen: 'a parameter name never seen here',
        support: operation.data.n,
        severity: 1,
        p: 1 / inverse,
      }),
    );
  };

  const judgeParameter = (segment: Segment, at: number, span: number, operation: number): void => {
    const source = segment.parameterSource[at]!;
    const name = segment.parameterName[at]!;
    features++;
    const index = tables.profileAt(segment.label[span]!, name, source);
    if (index < 0) {
      if (operation >= 0 && source !== ParameterSource.size && !isOutgoing(segment.kind[span]!)) {
        judgeUnknown(segment, at, span, tables.operations[operation]!, source);
      }
      return;
    }
    const profile = tables.profiles[index]!;
    if (profile.data.state === 'observe') {
      observed++;
      if (source === ParameterSource.size) return;
      const backOff = tables.backOff(segment.service[span]!, name, source);
      if (backOff !== null) judgeValue(segment, at, span, backOff, -1, groupOf(source));
      return;
    }
    if (source === ParameterSource.size) judgeSize(segment, at, span, profile, index);
    else judgeValue(segment, at, span, profile, index, groupOf(source));
  };

  const score = (segment: Segment, stage: JudgementStage, out: Evidence): void => {
    const { spanCount, parameterCount, parameterSpan, parameterSource, label } = segment;
    severity = observed = features = judged = strange = 0;
    findings = NO_FINDINGS;
    beyond = NO_FINDINGS;
    combination.begin();
    if (homes.length < spanCount) homes = new Int32Array(spanCount * 2);
    fillHomes(segment, homes);
    let from = 0;
    for (let span = 0; span < spanCount; span++) {
      let to = from;
      while (to < parameterCount && parameterSpan[to] === span) to++;
      const operation = tables.operationAt(label[span]!);
      if (operation >= 0 && !isOutgoing(segment.kind[span]!)) judgeSchema(segment, span, from, to, operation);
      for (let at = from; at < to; at++) {
        const source = parameterSource[at]!;
        if (!isCallSource(source)) {
          judgeParameter(segment, at, span, operation);
          continue;
        }
        if (source === ParameterSource.egress && calls.isOtherName(segment, at, from, to)) continue;
        features++;
        judged++;
        const home = homes[span]!;
        const index = tables.profileAt(label[home]!, label[span]!, source);
        const start = segment.parameterStart[at]!;
        const end = segment.parameterEnd[at]!;
        const hash = sampleHash(segment.values, start, end);
        if (index >= 0) {
          if (isRepeated(segment, index, at)) continue;
          if (memo.find(index, hash, segment.values, start, end) && !memo.remarkable) {
            combination.add(index, memo.inverse);
            continue;
          }
        }
        const inverse =
          source === ParameterSource.statement
            ? calls.statement(segment, at, span, home, index)
            : calls.egress(segment, at, span, home, index, from, to, stage >= JudgementStage.absence);
        // What is remarkable or under observation is judged anew: it depends on more than the value.
        if (index >= 0 && !calls.observed && !calls.remarkable) {
          memo.remember(index, hash, segment.values, start, end, inverse, 0, false);
        }
        if (calls.observed) observed++;
        combination.add(index >= 0 ? index : loosePart + PartGroup.calls, inverse);
        if (calls.severity > severity) severity = calls.severity;
        if (calls.finding !== null) {
          strange++;
          note(calls.finding);
        }
      }
      from = to;
    }
    const mean = combination.total();
    out.surprise = mean <= 1 ? 0 : Math.log10(mean);
    out.severity = severity;
    out.similarity = judged === 0 ? 1 : 1 - Math.min(strange, judged) / judged;
    out.observed = features === 0 ? 0 : observed / features;
    if (findings.length > MAX_FINDINGS) {
      findings.sort((a, b) => Number(b.hard) - Number(a.hard) || a.p - b.p);
      beyond = findings.splice(MAX_FINDINGS);
    }
    out.findings = findings;
  };
  return { score, unlisted: () => beyond };
};
