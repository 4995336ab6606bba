/** Path templates end to end: found, learned again before the first version, carried by it, kept over a restart, and added later. */
import { expect, it } from 'vitest';
import { loadBaseline } from '../../../baseline/baseline.ts';
import { type BaselineEntry, JudgementStage } from '../../../baseline/model.ts';
import { EPOCH_MS, segmentSpansOf } from '../traces/otlp.ts';
import { createTrainerWorld, LEARNERS, levelsOf, newKit, operationsOf, pageTrace, skuOf } from './robot-shop.ts';

const products = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) =>
    i % 4 === 3 ? '/categories' : `/product/${skuOf(((from + i) * 7) % 2_000)}`,
  );

it('a service without routes and with names as path values learns one label, before its first version', async () => {
  const { versions, visit, sentences } = await createTrainerWorld();
  await visit(products(800), 60_000);
  expect(versions.length).toBeGreaterThan(0);
  for (const { entries } of versions) {
    expect(levelsOf(entries, 'level')).toEqual([
      'catalogue /product/{id}',
      'web /api/catalogue/product/{id}',
      'web /product/{id}',
    ]);
    expect(levelsOf(entries, 'coming')).toEqual([]);
    expect(operationsOf(entries, 'catalogue')).toEqual(['server GET /categories', 'server GET /product/{id}']);
    expect(operationsOf(entries, 'web')).toEqual([
      'client GET /categories',
      'client GET /product/{id}',
      'server GET /api/catalogue/categories',
      'server GET /api/catalogue/product/{id}',
    ]);
  }
  // What was read before the templates were known is read again, and counted once.
  expect(versions.at(-1)!.baseline.manifest.segments).toBeLessThanOrEqual(800);
  expect(sentences.filter(({ msg }) => msg.includes('learning begins anew'))).toHaveLength(1);
  expect(sentences.filter(({ level }) => level === 'error')).toEqual([]);
});

/** Every other request reads a review, each of another product. */
const reviews = (count: number, from: number): string[] =>
  products(count, from).map((path, i) => (i % 2 === 0 ? path : `/reviews/${skuOf(from + i * 3)}/latest`));

it('a level found after the first version is learned before a version reads with it, over a restart too', async () => {
  const { versions, visit, restart, sentences, book } = await createTrainerWorld();
  await visit(products(800), 60_000);
  const first = versions.at(-1)!;
  for (let from = 1_000; !versions.some(({ entries }) => levelsOf(entries, 'coming').length > 0); from += 200) {
    expect(from).toBeLessThan(3_000);
    await visit(reviews(200, from), 15_000);
  }
  const announcing = versions.at(-1)!;
  const coming = ['catalogue /reviews/{id}', 'web /api/catalogue/reviews/{id}', 'web /reviews/{id}'];
  expect(levelsOf(announcing.entries, 'coming')).toEqual(coming);
  expect(levelsOf(announcing.entries, 'level')).toEqual(levelsOf(first.entries, 'level'));
  expect(operationsOf(announcing.entries, 'catalogue')).not.toContain('server GET /reviews/{id}/latest');

  const before = book();
  await restart();
  expect(book().current.key).toBe(before.current.key);
  // Every path is counted once, below and above the offset that the version includes.
  for (const partition of [0, 1]) {
    expect(Buffer.from(book().encode(partition)).toString()).toBe(Buffer.from(before.encode(partition)).toString());
  }

  // Some versions go by until it had the time to be admitted; none of them reads with it.
  const readsReviews = ({ entries }: { entries: readonly BaselineEntry[] }): boolean =>
    levelsOf(entries, 'level').includes('catalogue /reviews/{id}');
  for (let from = 5_000; !versions.some(readsReviews); from += 200) {
    expect(from).toBeLessThan(8_000);
    await visit(reviews(200, from), 15_000);
  }
  const next = versions.find(readsReviews)!;
  expect(levelsOf(next.entries, 'level')).toEqual(
    [...levelsOf(first.entries, 'level'), ...coming].sort((a, b) => (a < b ? -1 : 1)),
  );
  expect(levelsOf(next.entries, 'coming')).toEqual([]);
  expect(operationsOf(next.entries, 'catalogue')).toContain('server GET /reviews/{id}/latest');
  // Segments learned under other labels do not calibrate as if they were new.
  expect(next.baseline.manifest.alerting).toBe(true);
  const kit = newKit();
  const loaded = loadBaseline(next.entries, kit.symbols, LEARNERS);
  for (const path of ['/reviews/NEVER-SEEN/latest', `/product/${skuOf(3)}`, '/categories']) {
    kit.reader.read(segmentSpansOf(pageTrace(9_999, 100_000, path)), kit.segment, loaded.templates);
    const judged = loaded.judge(kit.segment, JudgementStage.absence);
    expect(judged.match).toMatchObject({ unseenEntry: false, similarity: { structure: 1 } });
    expect(judged.findings.filter(({ hard }) => hard)).toEqual([]);
    expect(judged.p).toBeGreaterThan(0.01);
  }
  expect(sentences.filter(({ msg }) => msg.includes('learning begins anew'))).toHaveLength(1);
  expect(sentences.filter(({ level }) => level === 'error')).toEqual([]);
});

it('a version and its entries read alike, and the trainer and the detector agree on every label', async () => {
  const { versions, visit } = await createTrainerWorld();
  await visit(products(800), 60_000);
  const { baseline, entries } = versions.at(-1)!;
  const kit = newKit();
  const loaded = loadBaseline(entries, kit.symbols, LEARNERS);
  expect([...loaded.entries()]).toEqual(entries);
  expect(loaded.templates.key).toBe(baseline.templates.key);
  expect(loaded.templates.key).not.toBe('');
});

it('a verdict depends on the segment and its version alone, whatever was read before', async () => {
  const { versions, visit } = await createTrainerWorld();
  await visit(products(800), 60_000);
  const { entries } = versions.at(-1)!;
  const plain = entries.filter(({ group }) => group !== 'templates');
  const spans = segmentSpansOf(pageTrace(9_999, 100_000, '/product/NEVER-SEEN'), { appendMs: EPOCH_MS + 100_100 });
  const others = Array.from({ length: 3_000 }, (_, i) =>
    segmentSpansOf(pageTrace(20_000 + i, 100_000, `/product/${skuOf(i)}X`), { appendMs: EPOCH_MS + 100_100 }),
  );
  /** `with` and `without` templates in turn, after `noise` segments. */
  const judged = (noise: number): string[] => {
    const kit = newKit();
    const versionsOf = [plain, entries].map((some) => loadBaseline(some, kit.symbols, LEARNERS));
    for (const other of others.slice(0, noise))
      for (const { templates } of versionsOf) kit.reader.read(other, kit.segment, templates);
    return [0, 1, 0, 1].map((which) => {
      kit.reader.read(spans, kit.segment, versionsOf[which]!.templates);
      const { match, findings, p } = versionsOf[which]!.judge(kit.segment, JudgementStage.absence);
      return JSON.stringify({ match: { ...match, version: '' }, findings, p });
    });
  };
  const expected = judged(0);
  expect(expected[0]).toContain('GET /api/catalogue/product/NEVER-SEEN');
  expect(expected[1]).toContain('GET /api/catalogue/product/{id}');
  expect(JSON.parse(expected[1]!)).toMatchObject({ match: { unseenEntry: false, similarity: { structure: 1 } } });
  expect(expected.slice(2)).toEqual(expected.slice(0, 2));
  // More than a service may have operations: what one version makes many of does not use up the other's.
  expect(judged(3_000)[1]).toBe(expected[1]);
});
