/** A verdict as it may leave: in rows, in the findings topic, in alerts and exports. */
import { type Redactor, Sensitivity } from '../../schemas/clickhouse/redactor.ts';
import type { ChainLine, ClientRecord, Finding, Verdict, VerdictStory } from '../../schemas/log/verdict.ts';

export const redactClient = (redactor: Redactor, client: ClientRecord): ClientRecord =>
  client.session === null && client.user === null
    ? client
    : {
        ...client,
        user: client.user === null ? null : redactor.user(client.user),
        session: client.session === null ? null : redactor.secret(client.session),
      };

export function redactFinding(redactor: Redactor, finding: Finding): Finding {
  const isSecret = finding.parameter !== '' && redactor.classify(finding.parameter) === Sensitivity.secret;
  return {
    ...finding,
    explanationKey: redactor.look(finding.explanationKey),
    expected: redactor.look(finding.expected),
    seen: isSecret ? redactor.secret(finding.seen) : redactor.look(finding.seen),
  };
}

/** Names all of it, but others chose many of them. */
function redactStory(redactor: Redactor, story: VerdictStory): VerdictStory {
  const lines = (chain: readonly ChainLine[]): readonly ChainLine[] =>
    chain.map((line) => ({ ...line, call: redactor.look(line.call) }));
  return {
    expected: lines(story.expected),
    seen: lines(story.seen),
    reached: story.reached.map(redactor.look),
    tables: story.tables.map(redactor.look),
    fields: story.fields.map(redactor.look),
  };
}

/** The same verdict when there is nothing to hide. */
export function redactVerdict(redactor: Redactor, verdict: Verdict): Verdict {
  const client = redactClient(redactor, verdict.client);
  const text = verdict.match === null ? '' : redactor.look(verdict.match.text);
  const textStays = verdict.match === null || text === verdict.match.text;
  const { story } = verdict;
  const isBare = story === undefined && verdict.findings.length === 0 && verdict.origins.length === 0;
  if (isBare && client === verdict.client && textStays) return verdict;
  return {
    ...verdict,
    client,
    origins: verdict.origins.map((origin) => redactClient(redactor, origin)),
    match: verdict.match === null || textStays ? verdict.match : { ...verdict.match, text },
    findings: verdict.findings.map((finding) => redactFinding(redactor, finding)),
    ...(story !== undefined && { story: redactStory(redactor, story) }),
  };
}
