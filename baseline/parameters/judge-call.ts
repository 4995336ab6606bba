/**
 * Statements and egress of a segment (DETECTION §3.5, §3.6): what an operation's own calls say. Unseen forms are hard
 * findings where the operation (for egress: the service) is active and new forms are no everyday thing there.
 */
import type { Finding } from '../../schemas/log/verdict.ts';
import { ParameterSource, type Segment } from '../../traces/segment.ts';
import { createDecodeChain, createDecoded } from './decode/chain.ts';
import { isPublicName, isResolved, PUBLIC_NAME } from './egress.ts';
import { findingAt, grouped } from './explain.ts';
import { Kind } from './features.ts';
import { inverseOf, kindCounts } from './profile.ts';
import type { ParameterReader } from './reader.ts';
import { isRequestSource } from './sources.ts';
import type { OutsideLiteral } from './statements/outside-literal.ts';
import { createLexer, createTokens } from './statements/tokens.ts';
import type { ModelTables } from './tables.ts';

/**
 * An unseen statement is near-certain only where fewer than one statement in a hundred is new anyway (an operation that
 * builds its statements makes new ones every day); with a parameter outside a literal it always is.
 */
const NEW_STATEMENTS_LIMIT = 0.01;

/** Severity of an unseen statement, more by each token that a parameter has in it. */
const STATEMENT_SEVERITY = 4;
const EGRESS_SEVERITY = 4;

/** `service:NAME`: no address class begins with this letter. */
const isService = (segment: Segment, at: number): boolean => segment.values[segment.parameterStart[at]!] === 0x73;

interface Reach {
  tokens: number;
  parameter: number;
}

export const judgeCalls = (tables: ModelTables, reader: ParameterReader, outside: OutsideLiteral, seed: number) => {
  const lexer = createLexer(seed);
  const tokens = createTokens();
  const chain = createDecodeChain();
  const decoded = createDecoded();
  const reach: Reach = { tokens: 0, parameter: -1 };

  /** Longest reach of any request parameter of the segment into the statement. */
  const findReach = (segment: Segment, at: number): void => {
    reach.tokens = 0;
    reach.parameter = -1;
    lexer.read(segment.values, segment.parameterStart[at]!, segment.parameterEnd[at]!, false, tokens);
    for (let j = 0; j < segment.parameterCount; j++) {
      const source = segment.parameterSource[j]!;
      if (!isRequestSource(source) && source !== ParameterSource.header) continue;
      const start = segment.parameterStart[j]!;
      const end = segment.parameterEnd[j]!;
      if (end - start < 5) continue;
      chain.decode(segment.values, start, end, source, decoded);
      const found = outside.reach(tokens, decoded.bytes, decoded.start, decoded.end);
      if (found > reach.tokens) {
        reach.tokens = found;
        reach.parameter = j;
      }
    }
  };

  const call = {
    /** Of the call judged last. */
    severity: 0,
    observed: false,
    remarkable: false,
    finding: null as Finding | null,

    /** 1/p of a statement. */
    statement(segment: Segment, at: number, span: number, home: number, index: number): number {
      call.severity = 0;
      call.observed = call.remarkable = false;
      call.finding = null;
      const symbols = segment.symbols;
      const at0 = tables.operationAt(segment.label[home]!);
      // An unknown operation is the structure's business.
      if (at0 < 0) return 1;
      const operation = tables.operations[at0]!;
      const peer = symbols.text(symbols.labelOf(segment.label[span]!).peer);
      const key = reader.statement(segment.values, segment.parameterStart[at]!, segment.parameterEnd[at]!, peer);
      const profile = index >= 0 ? tables.profiles[index]! : null;
      if (operation.data.state === 'observe') {
        call.observed = true;
        return 1;
      }
      let inverse: number;
      if (profile !== null && profile.data.state !== 'observe') {
        inverse = inverseOf(profile, key);
        if (inverse > 0) return inverse;
        inverse = -inverse;
      } else {
        const listed = profile === null ? -1 : inverseOf(profile, key);
        if (listed > 0) return 1;
        // A call that a cap may have cut off says nothing by being missing, unless a parameter is in it.
        if (profile === null && !operation.data.complete) {
          findReach(segment, at);
          if (reach.tokens === 0) return 1;
        }
        // A call the operation hardly ever makes: what new statements weigh in the operation as a whole.
        inverse = 1 / Math.max(operation.floor, operation.newStatements / Math.max(1, operation.statements));
      }
      const service = tables.serviceAt(segment.service[home]!);
      // Known from other routes of the service: unusual here, no proof of anything.
      if (service?.statements.has(key) === true) return inverse;
      call.remarkable = true;
      findReach(segment, at);
      const newShare = operation.newStatements / Math.max(1, operation.statements);
      const active = operation.data.state === 'active';
      const certain = newShare <= NEW_STATEMENTS_LIMIT && service?.data.complete === true;
      const rare = service?.pending.has(key) === true;
      const hard = active && (reach.tokens > 0 || (certain && !rare));
      call.severity = STATEMENT_SEVERITY + reach.tokens;
      const forms = profile === null ? 0 : (kindCounts(profile.data, Kind.form)?.keys.length ?? 0);
      const support = profile?.data.n ?? operation.data.n;
      const caller = symbols.labelText(segment.label[span]!);
      const text = symbols.text(segment.operation[home]!);
      const parameter = reach.parameter < 0 ? '' : symbols.text(segment.parameterName[reach.parameter]!);
      call.finding = findingAt(segment, span, {
        kind: 'statement',
        hard,
        explanationKey: `${text} · ${caller}`,
        home,
        parameter,
        expected:
          profile === null
            ? `no call of ${caller} in ${grouped(operation.data.n)} requests of ${text}`
            : `one of ${forms} known statement form${forms === 1 ? '' : 's'} of ${caller}, as in ${grouped(support)} calls`,
        seen:
          reach.tokens > 0
            ? `a statement form never seen, with ${reach.tokens} tokens of parameter \`${parameter}\` outside its literals`
            : rare
              ? 'a statement form seen too rarely to be known'
              : 'a statement form never seen',
        support,
        severity: call.severity,
        p: 1 / inverse,
      });
      return inverse;
    },

    /**
     * Whether a call's address is the callee's other name: learned, but not judged where the callee itself is there. Only
     * when its span got lost, or nobody traces it, is the address all there is.
     */
    isOtherName(segment: Segment, at: number, from: number, to: number): boolean {
      if (isService(segment, at)) return false;
      for (let j = from; j < to; j++) {
        if (segment.parameterSource[j] === ParameterSource.egress && isService(segment, j)) return true;
      }
      return false;
    },

    /** 1/p of an egress class. `late`: the callee's own span would have come by now. */
    egress(
      segment: Segment,
      at: number,
      span: number,
      home: number,
      index: number,
      from: number,
      to: number,
      late: boolean,
    ): number {
      call.severity = 0;
      call.observed = call.remarkable = false;
      call.finding = null;
      const { symbols, values } = segment;
      const text = reader.egressText(values, segment.parameterStart[at]!, segment.parameterEnd[at]!);
      const key = reader.egress(text);
      const service = tables.serviceAt(segment.service[home]!);
      if (service === undefined) return 1;
      const profile = index >= 0 ? tables.profiles[index]! : null;
      const operationIndex = tables.operationAt(segment.label[home]!);
      if (operationIndex >= 0 && tables.operations[operationIndex]!.anyPublic && isPublicName(text)) return 1;
      let inverse = 1;
      if (profile !== null && profile.data.state !== 'observe') {
        inverse = inverseOf(profile, key);
        if (inverse > 0) return inverse;
        inverse = -inverse;
      }
      if (service.egress.has(key)) return inverse;
      // From here on the judgement is of this segment, not of the value.
      call.remarkable = true;
      // Until the absence grace is over, an address that some service is known to call may yet turn out to be one whose
      // spans are on their way. Where nobody ever called there is nobody to wait for.
      const awaited = !isResolved(text) && tables.isCalled(key);
      if (awaited && !late) return 1;
      // The same call under its other name, its address, is known: its spans got lost in learning.
      for (let j = from; j < to; j++) {
        if (j === at || segment.parameterSource[j] !== ParameterSource.egress) continue;
        const other = reader.egressText(values, segment.parameterStart[j]!, segment.parameterEnd[j]!);
        if (service.egress.has(reader.egress(other))) return 1;
      }
      if (service.data.state !== 'active' || !service.data.complete) {
        call.observed = service.data.state === 'observe';
        return inverse;
      }
      // One more name of a domain that is called anyway, or of a service that calls names of all kinds elsewhere.
      const soft = isPublicName(text) && (service.anyPublic || service.domains.has(reader.egressDomain(text)));
      if (!soft) inverse = Math.max(inverse, 2 * (service.data.n + 1));
      call.severity = soft ? 1 : EGRESS_SEVERITY;
      const operation = symbols.text(segment.operation[home]!);
      const name = symbols.text(segment.service[home]!);
      const known = service.data.egress.map(([, known]) => known);
      const names = known.filter((cls) => cls === PUBLIC_NAME).length;
      const listed = known.filter((cls) => cls !== PUBLIC_NAME).sort();
      const classes = [
        ...listed.slice(0, 6),
        ...(listed.length > 6 ? [`${listed.length - 6} more`] : []),
        ...(service.anyPublic
          ? ['any public name']
          : names > 0
            ? [`${names} public name${names === 1 ? '' : 's'}`]
            : []),
      ];
      call.finding = findingAt(segment, span, {
        kind: 'egress',
        hard: !soft,
        evidence: awaited ? 'absence' : 'presence',
        explanationKey: `${operation} · ${text}`,
        home,
        parameter: '',
        expected: `${name} calls ${classes.length === 0 ? 'nothing outside itself' : classes.join(', ')}, as learned from ${grouped(service.data.n)} of its spans`,
        seen: `a call to ${text}`,
        support: service.data.n,
        severity: call.severity,
        p: 1 / inverse,
      });
      return inverse;
    },
  };
  return call;
};
