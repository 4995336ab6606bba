/** A small shop for tests of the parameters model: ordinary requests by number, and learning them. */

import type { BaselineEntry, CompileOptions, Evidence, LearningProfile, Model } from '../../../baseline/model.ts';
import { createEvidence, JudgementStage } from '../../../baseline/model.ts';
import type { ParametersPartial } from '../../../baseline/parameters/index.ts';
import { createParametersLearner } from '../../../baseline/parameters/index.ts';
import type { Segment } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { type PlainParameter, type PlainSpan, segmentOf } from '../traces/segments.ts';

export const symbols = createSymbols({ maxTexts: 50_000, maxLabels: 5_000 });
export const learner = createParametersLearner({ hashKey: 'test' });

export const PROFILE: LearningProfile = {
  name: 'demo',
  ruleSupport: 60,
  admitOccurrences: 5,
  admitBuckets: 5,
  admitClients: 3,
  observeBelow: 30,
  observeBuckets: 3,
  activeFrom: 200,
  influenceShare: 0.1,
  influenceFree: 20,
};

export const optionsOf = (changes: Partial<CompileOptions> = {}): CompileOptions => ({
  profile: PROFILE,
  symbols,
  segments: 2_000,
  clients: 100,
  buckets: 50,
  previous: [],
  sensitiveTables: [],
  ...changes,
});

export const WORDS = ['hat', 'shoe', 'bag', 'coat', 'scarf', 'glove', 'belt', 'shirt', 'sock', 'dress'];
const AGENTS = ['Mozilla/5.0 (X11; Linux x86_64)', 'curl/8.1', 'okhttp/4.12'];

export interface Request {
  readonly q?: string;
  readonly id?: string;
  readonly sql?: string;
  readonly egress?: string;
  readonly extra?: readonly PlainParameter[];
  readonly header?: string;
}

/** Ordinary request number `i`, with changes. */
export const request = (i: number, changes: Request = {}): Segment => {
  const word = WORDS[i % WORDS.length]!;
  const q = changes.q ?? `${word}${i % 3 === 0 ? '%20red' : ''}`;
  const id = changes.id ?? String(1_000 + ((i * 37) % 900));
  const tree: PlainSpan = {
    service: 'catalog',
    operation: 'GET /products',
    parameters: [
      { source: 'query', name: 'q', value: q },
      { source: 'query', name: 'id', value: id },
      ...(changes.extra ?? []),
      { source: 'header', name: 'user-agent', value: changes.header ?? AGENTS[i % AGENTS.length]! },
    ],
    children: [
      {
        service: 'catalog',
        operation: 'SELECT products',
        kind: 'client',
        peer: 'postgresql',
        parameters: [
          {
            source: 'statement',
            name: 'db.query.text',
            value:
              changes.sql ??
              `SELECT id, name FROM products WHERE name LIKE '%${word}%' AND id > $1 ORDER BY name LIMIT 20`,
          },
        ],
      },
      {
        service: 'catalog',
        operation: 'GET',
        kind: 'client',
        parameters: [{ source: 'egress', name: 'egress', value: changes.egress ?? 'service:pricing' }],
      },
    ],
  };
  return segmentOf(symbols, tree, { client: `198.51.100.${i % 100}` });
};

export const learnInto = (partial: ParametersPartial, i: number, segment: Segment, client = 1 + (i % 100)): void =>
  learner.learn(partial, segment, { bucket: Math.floor(i / 40), client, quarantined: false });

export const learned = (count = 2_000, change: (i: number) => Request = () => ({})): ParametersPartial => {
  const partial = learner.createPartial();
  for (let i = 0; i < count; i++) learnInto(partial, i, request(i, change(i)));
  return partial;
};

export const score = (model: Model, segment: Segment, stage: JudgementStage = JudgementStage.absence): Evidence => {
  const evidence = createEvidence();
  model.score(segment, stage, evidence);
  return evidence;
};

export const entriesOf = (model: Model): BaselineEntry[] => [...model.entries()];
