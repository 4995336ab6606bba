/** Every line of `score` says what its trace was held against, how sure it is, and what its evidence is made of. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMPONENTS, GROUPS, type Verdict } from '../../../schemas/log/verdict.ts';
import { otlpLines } from '../offline/otlp-lines.ts';
import { spanwarden } from './command.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-lines-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const T0 = 1_750_000_000_000;
const odd = { 10: 'slow', 110: 'foreign', 210: 'injection' } as const;

type Line = Pick<Verdict, 'score' | 'p' | 'groups' | 'match' | 'findings' | 'anomalous'> & {
  interval: [number, number];
};
let lines: Line[];

beforeAll(async () => {
  writeFileSync(at('learn.jsonl'), otlpLines({ seed: 1, traces: 2_000, startMs: T0 }).join('\n'));
  writeFileSync(at('fresh.jsonl'), otlpLines({ seed: 2, traces: 300, startMs: T0 + 400_000, odd }).join('\n'));
  expect((await spanwarden('train', at('learn.jsonl'), '--out', at('baseline.gz'))).code).toBe(0);
  const scored = await spanwarden('score', '--baseline', at('baseline.gz'), at('fresh.jsonl'), '--out', at('scores'));
  expect(scored.code).toBe(0);
  lines = readFileSync(at('scores'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
});

it('a match with similarity, threshold and deviation of each component, and a sentence', () => {
  expect(lines).toHaveLength(300);
  for (const { match } of lines) {
    if (match === null) throw new Error('a verdict without a match');
    for (const component of COMPONENTS) {
      const { similarity, threshold, deviation } = match;
      expect(similarity[component]).toBeGreaterThanOrEqual(0);
      expect(similarity[component]).toBeLessThanOrEqual(1);
      expect(threshold[component]).toBeLessThan(1);
      expect(deviation[component]).toBeCloseTo((1 - similarity[component]) / (1 - threshold[component]), 6);
    }
    expect(match.deviation.max).toBe(Math.max(...COMPONENTS.map((component) => match.deviation[component])));
    expect(match.deviation[match.worst]).toBe(match.deviation.max);
    expect(match.text).toContain(match.signature === '' ? 'similarity' : match.signature);
  }
});

it('p inside its interval, one p a group, and a score that p decides', () => {
  for (const { p, interval, groups, score } of lines) {
    expect(interval[0]).toBeLessThanOrEqual(p);
    expect(interval[1]).toBeGreaterThanOrEqual(p);
    expect(Object.keys(groups).sort()).toEqual([...GROUPS].sort());
    for (const group of GROUPS) expect(groups[group]).toBeGreaterThan(0);
    expect(score).toBeGreaterThanOrEqual(-Math.log10(p));
    expect(score).toBeLessThan(-Math.log10(p) + 1);
  }
});

it('the shares of its findings sum to 1', () => {
  const told = lines.filter(({ findings }) => findings.length > 0);
  expect(told.length).toBeGreaterThanOrEqual(2);
  for (const { findings } of told) {
    for (const { share } of findings) expect(share).toBeGreaterThanOrEqual(0);
    expect(findings.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  }
});
