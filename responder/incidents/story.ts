/**
 * The one story of an incident (DETECTION §6): stages, what happened, the chains of its worst verdict, requests that show it, what it
 * reached. Every list is bounded and never changed in place, so that a row may hold it.
 */
import type { Incident, IncidentStory } from '../../schemas/alerts/incident.ts';
import type { ActorRecord } from '../../schemas/log/actor-record.ts';
import type { StageMark } from '../../schemas/log/kill-chain.ts';
import type { ChainLine, Finding, Verdict } from '../../schemas/log/verdict.ts';
import { speaksOfStage, stageIndex } from '../kill-chain.ts';
import {
  featuresOf,
  joinedEvidence,
  type KeptEvidence,
  NO_EVIDENCE,
  placeOf,
  withEvidence,
  withoutAt,
} from './evidence.ts';
import { furthest, inOrder, joinedStages, stageBits, withFindings, withoutStages } from './stages.ts';
import { cut, hashOf } from './text.ts';
import {
  entryOf,
  joinedTimelines,
  type NewEntry,
  NO_TIMELINE,
  type Timeline,
  withClient,
  withEntry,
  withoutKey,
} from './timeline.ts';

export interface StoryState {
  /** Of its verdicts. */
  stages: readonly StageMark[];
  /** What is known of its actors, the newest of each. */
  actors: readonly KnownActor[];
  timeline: Timeline;
  /** Novelties that the timeline tells of, as hashes. */
  told: readonly number[];
  /** The verdict whose chains these are. */
  worst: { readonly id: string; readonly hard: boolean; readonly score: number } | null;
  expected: readonly ChainLine[];
  seen: readonly ChainLine[];
  evidence: KeptEvidence;
  reached: readonly string[];
  tables: readonly string[];
  fields: readonly string[];
  similar: IncidentStory['similar'];
}

export interface KnownActor {
  readonly id: string;
  readonly revision: number;
  readonly risk: number;
  readonly reasons: readonly string[];
  readonly stages: readonly StageMark[];
}

/** How much of a story is kept. */
export interface StoryLimits {
  readonly timeline: number;
  readonly evidence: number;
  readonly lines: number;
}

export const FULL: StoryLimits = { timeline: 64, evidence: 20, lines: 40 };
/** Of each while very many are open at once: nobody reads them one by one. */
export const SHORT: StoryLimits = { timeline: 12, evidence: 4, lines: 12 };

const MAX_ACTORS = 4;
const MAX_REASONS = 8;
const MAX_TOLD = 64;
const MAX_NAMES = 32;
const MAX_NAME = 120;

export const newStory = (): StoryState => ({
  stages: [],
  actors: [],
  timeline: NO_TIMELINE,
  told: [],
  worst: null,
  expected: [],
  seen: [],
  evidence: NO_EVIDENCE,
  reached: [],
  tables: [],
  fields: [],
  similar: [],
});

/** What a story takes of a verdict, and of a finding. */
export type ToldVerdict = Pick<Verdict, 'id' | 'traceId' | 'entrySpanId' | 'operation' | 'score' | 'story'> & {
  readonly client: Pick<Verdict['client'], 'address'>;
};
export type ToldFinding = Pick<
  Finding,
  'kind' | 'explanationKey' | 'hard' | 'service' | 'operation' | 'spanId' | 'startMs' | 'endMs'
>;

export interface Told {
  readonly verdict: ToldVerdict;
  readonly findings: readonly ToldFinding[];
  readonly lead: ToldFinding;
  /** Not an amendment. */
  readonly isNew: boolean;
}

export function tellVerdict(story: StoryState, told: Told, limits: StoryLimits): void {
  const { verdict, findings, lead, isNew } = told;
  const client = verdict.client.address ?? '';
  if (!isNew) story.timeline = withClient(story.timeline, verdict.id, client);
  // what is soft beside something certain may be odd for its sake
  const telling = findings.filter((finding) => finding.hard || finding === lead);
  for (const finding of telling) tellFinding(story, finding, verdict, client, limits);
  const staged = telling.filter((finding) => speaksOfStage(finding, verdict.operation));
  tellStages(story, withFindings(story.stages, staged, isNew), client, verdict, limits);
  const { traceId, entrySpanId } = verdict;
  const { spanId, kind, service, startMs: atMs } = lead;
  const one = { traceId, entrySpanId, spanId, kind, service, operation: cut(lead.operation, MAX_NAME), client, atMs };
  const by = {
    features: featuresOf(one, verdict.operation),
    stages: stageBits(staged),
    priority: hashOf(traceId, entrySpanId),
  };
  story.evidence = withEvidence(story.evidence, one, by, limits.evidence);
  tellReached(story, verdict, lead, limits);
}

function tellFinding(
  story: StoryState,
  { kind, explanationKey, service, startMs }: ToldFinding,
  { id, traceId }: ToldVerdict,
  client: string,
  limits: StoryLimits,
): void {
  const novelty = hashOf(kind, explanationKey);
  if (story.told.length >= MAX_TOLD || story.told.includes(novelty)) return;
  story.told = [...story.told, novelty];
  const entry = entryOf('finding', startMs, `${kind} in ${service}: ${explanationKey}`, { traceId, client, key: id });
  story.timeline = withEntry(story.timeline, entry, limits.timeline);
}

/** Stages as they are now; the timeline tells of each that was not there. */
function tellStages(
  story: StoryState,
  stages: readonly StageMark[],
  client: string,
  of: ToldVerdict,
  limits: StoryLimits,
): void {
  if (stages === story.stages) return;
  for (const mark of stages) {
    if (story.stages.some(({ stage }) => stage === mark.stage) || isKnown(story, mark)) continue;
    story.timeline = withEntry(
      story.timeline,
      entryOf('stage', mark.firstMs, stageText(mark), { traceId: of.traceId, client, key: of.id }),
      limits.timeline,
    );
  }
  story.stages = stages;
}

const isKnown = (story: StoryState, { stage }: StageMark): boolean =>
  story.actors.some(({ stages }) => stages.some((known) => known.stage === stage));

const stageText = ({ stage, technique, by }: StageMark): string =>
  `${stage}${technique === '' ? '' : ` (${technique})`}, shown by ${by}`;

function tellReached(story: StoryState, verdict: ToldVerdict, lead: ToldFinding, limits: StoryLimits): void {
  const { story: of, id, score } = verdict;
  if (of === undefined) return;
  story.reached = withNames(story.reached, of.reached);
  story.tables = withNames(story.tables, of.tables);
  story.fields = withNames(story.fields, of.fields);
  const { worst } = story;
  const isWorse = worst === null || worst.id === id || Number(lead.hard) - Number(worst.hard) > 0;
  if (!isWorse && (worst.hard !== lead.hard || score <= worst.score)) return;
  story.worst = { id, hard: lead.hard, score };
  story.expected = linesOf(of.expected, limits);
  story.seen = linesOf(of.seen, limits);
}

const linesOf = (lines: readonly ChainLine[], limits: StoryLimits): readonly ChainLine[] =>
  lines.length <= limits.lines && lines.every(({ call }) => call.length <= MAX_NAME)
    ? lines
    : lines.slice(0, limits.lines).map((line) => ({ ...line, call: cut(line.call, MAX_NAME) }));

function withNames(names: readonly string[], more: readonly string[]): readonly string[] {
  let all: string[] | undefined;
  for (const one of more) {
    const name = cut(one, MAX_NAME);
    if (name === '' || names.includes(name) || all?.includes(name) === true) continue;
    if ((all ?? names).length >= MAX_NAMES) break;
    all ??= [...names];
    all.push(name);
  }
  return all ?? names;
}

/** A line's text begins with its service, spaces, colons and per cents escaped (traces/symbols.ts). */
const serviceOf = ({ call }: ChainLine): string =>
  call
    .slice(0, Math.max(0, call.indexOf(' ')))
    .replaceAll('%3A', ':')
    .replaceAll('%20', ' ')
    .replaceAll('%25', '%');

/** Services beside this one in the call chain. */
export function neighboursOf(lines: readonly ChainLine[], service: string): string[] {
  const found = new Set<string>();
  const above: string[] = [];
  for (const line of lines) {
    const own = serviceOf(line);
    above.length = Math.min(above.length, line.depth);
    const caller = above.at(-1);
    if (caller !== undefined && own !== caller) {
      if (own === service) found.add(caller);
      else if (caller === service) found.add(own);
    }
    above.push(own);
  }
  return [...found];
}

/** Its stages, with that of its abuse, whether or not it lists it. */
function withAbuse({ stages, abuse, startMs, endMs }: ActorRecord): readonly StageMark[] {
  const own = { kind: 'actor', explanationKey: abuse, hard: true, startMs, endMs } as const;
  const listed = joinedStages([], stages);
  const bits = stageBits([own]);
  return bits === 0 || listed.some(({ stage }) => (bits >> stageIndex(stage)) & 1)
    ? listed
    : withFindings(listed, [own], true);
}

/** What is known of an actor, when it is newer than before. */
export function tellActor(story: StoryState, record: ActorRecord, limits: StoryLimits): { readonly changed: boolean } {
  const known = story.actors.find(({ id }) => id === record.id);
  if (known !== undefined && known.revision >= record.revision) return { changed: false };
  const client = record.client.address ?? '';
  const key = `actor ${record.id}`;
  const stages = withAbuse(record);
  const fresh = stages.filter(
    (mark) => !isKnown(story, mark) && !story.stages.some(({ stage }) => stage === mark.stage),
  );
  const actor: KnownActor = {
    id: record.id,
    revision: record.revision,
    risk: record.risk,
    reasons: record.reasons.slice(0, MAX_REASONS).map((reason) => cut(reason, MAX_NAME)),
    stages,
  };
  story.actors = [...story.actors.filter(({ id }) => id !== record.id), actor]
    .sort((a, b) => b.risk - a.risk || (a.id < b.id ? -1 : 1))
    .slice(0, MAX_ACTORS);
  const texts = fresh.map((mark) => entryOf('stage', mark.firstMs, stageText(mark), { client, key }));
  if (record.abuse !== '') {
    story.timeline = withoutKey(story.timeline, key, 'actor');
    const subject = record.subject.kind === 'client' ? '' : ` (${record.subject.kind} ${record.subject.key})`;
    texts.push(entryOf('actor', record.startMs, `${record.abuse}${subject}: ${record.seen}`, { client, key }));
  }
  for (const entry of texts) story.timeline = withEntry(story.timeline, entry, limits.timeline);
  return { changed: true };
}

/** Requests that show what no single one does. */
export function tellTraces(
  story: StoryState,
  traceIds: readonly string[],
  { kind, service, operation, startMs }: ToldFinding,
  client: string,
  limits: StoryLimits,
): void {
  const entry = cut(operation, MAX_NAME);
  const named = { entrySpanId: '', spanId: '', kind, service, operation: entry, client, atMs: startMs };
  for (const traceId of traceIds) {
    if (story.evidence.chosen.some((one) => one.traceId === traceId)) continue;
    const one = { ...named, traceId };
    const by = { features: featuresOf(one, entry), stages: 0, priority: hashOf(traceId) };
    story.evidence = withEvidence(story.evidence, one, by, limits.evidence);
  }
}

export function tellEvent(story: StoryState, entry: NewEntry, limits: StoryLimits): void {
  story.timeline = withEntry(story.timeline, entry, limits.timeline);
}

/** The verdict does not stand: what it alone told is taken back. */
export function takeBack(story: StoryState, verdict: ToldVerdict): void {
  const at = placeOf(story.evidence, verdict);
  story.timeline = withoutKey(story.timeline, verdict.id);
  if (at >= 0) {
    story.stages = withoutStages(story.stages, story.evidence.by[at]!.stages);
    story.evidence = withoutAt(story.evidence, at);
  }
  if (story.worst?.id === verdict.id) Object.assign(story, { worst: null, expected: [], seen: [] });
}

/** Another incident's story becomes part of this one. */
export function joinStories(story: StoryState, other: StoryState, limits: StoryLimits): void {
  story.stages = joinedStages(story.stages, other.stages);
  for (const actor of other.actors) {
    if (story.actors.length < MAX_ACTORS && !story.actors.some(({ id }) => id === actor.id))
      story.actors = [...story.actors, actor];
  }
  story.timeline = joinedTimelines(story.timeline, other.timeline, limits.timeline);
  story.told = [...new Set([...story.told, ...other.told])].slice(0, MAX_TOLD);
  story.evidence = joinedEvidence(story.evidence, other.evidence, limits.evidence);
  story.reached = withNames(story.reached, other.reached);
  story.tables = withNames(story.tables, other.tables);
  story.fields = withNames(story.fields, other.fields);
  const graver =
    other.worst !== null &&
    (story.worst === null ||
      Number(other.worst.hard) - Number(story.worst.hard) > 0 ||
      (other.worst.hard === story.worst.hard && other.worst.score > story.worst.score));
  if (graver) Object.assign(story, { worst: other.worst, expected: other.expected, seen: other.seen });
}

/** All stages, in order. */
export const stagesOf = (story: StoryState): readonly StageMark[] =>
  inOrder(
    story.stages,
    story.actors.map(({ stages }) => stages),
  );

/** How far it got: place of the stage, −1 nowhere. */
export const furthestOf = (story: StoryState): number =>
  story.actors.reduce((most, { stages }) => Math.max(most, furthest(stages)), furthest(story.stages));

/** As it is told. How far an attack got is said only of what is about security. */
export function shownStory(story: StoryState, incidentClass: Incident['class']): IncidentStory {
  const worst = story.actors[0];
  const isSecurity = incidentClass === 'security';
  return {
    stages: isSecurity ? stagesOf(story) : [],
    risk: worst?.risk ?? 0,
    reasons: worst?.reasons ?? [],
    timeline: story.timeline.entries,
    expected: story.expected,
    seen: story.seen,
    evidence: story.evidence.chosen,
    reached: story.reached,
    tables: story.tables,
    fields: story.fields,
    similar: story.similar,
  };
}
