/** What operators ask of the trainer: an older version again, a baseline learned elsewhere, their edits in every version. */
import { beforeAll, describe, expect, it } from 'vitest';
import { editsToEntries } from '../../../baseline/edits/entries.ts';
import type { BaselineEntry } from '../../../baseline/model.ts';
import { editDocument } from '../../../schemas/baselines/edit.ts';
import { checkManifest } from '../../../schemas/baselines/manifest.ts';
import type { AnsweredRequest, BaselineRequestKind } from '../../../schemas/baselines/request.ts';
import { VERSION_SCHEMA, versionId } from '../../../schemas/baselines/version.ts';
import { GROUPS } from '../../../schemas/log/verdict.ts';
import { createTrainerWorld, newOperators, type Operators, skuOf, type TrainerWorld } from './robot-shop.ts';

const products = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `/product/${skuOf((from + i) % 300)}`);

function ask(
  operators: Operators,
  kind: BaselineRequestKind,
  more: Partial<AnsweredRequest> = {},
): () => AnsweredRequest {
  const id = `request ${operators.requests.length}`;
  operators.requests.push({
    id,
    kind,
    version: '',
    manifest: '',
    force: false,
    forget: false,
    by: 'ada',
    comment: '',
    atMs: 0,
    answer: { state: 'open', message: '', result: '', atMs: 0 },
    ...more,
  });
  return () => operators.requests.find((request) => request.id === id)!;
}

const last = ({ versions }: TrainerWorld) => versions.at(-1)!;
const kinds = ({ versions }: TrainerWorld): string[] =>
  versions.map(({ baseline }) => baseline.manifest.kind ?? 'learned');
/** What a version's models say, without what is the version's own. */
const modelsOf = (entries: readonly BaselineEntry[]): string[] =>
  entries
    .filter(({ group }) => GROUPS.some((one) => one === group))
    .map((entry) => JSON.stringify(entry))
    .sort();

const edit = (id: string): BaselineEntry =>
  editsToEntries([
    editDocument.parse({
      id,
      revision: 1,
      supersedes: 0,
      by: 'ada',
      atMs: 1,
      state: 'approved',
      approve: [{ kind: 'unseen-edge', explanationKey: 'web → mail' }],
    }),
  ])[0]!;

describe('a roll-back', () => {
  it('makes an older version current again, which stays, over a restart too, until an operator resumes', async () => {
    const operators = newOperators();
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    await world.visit(products(400, 100), 30_000);
    const first = world.versions.find(({ baseline }) => baseline.manifest.alerting)!;
    expect(last(world).baseline.version).not.toBe(first.baseline.version);
    const segments = last(world).baseline.manifest.segments;

    const asked = ask(operators, 'roll-back', { version: first.baseline.version });
    await world.visit([], 4_000);
    const back = last(world);
    expect(back.baseline.manifest).toMatchObject({
      kind: 'rolled-back',
      source: first.baseline.version,
      held: true,
      alerting: true,
    });
    expect(modelsOf(back.entries)).toEqual(modelsOf(first.entries));
    expect(asked().answer).toMatchObject({ state: 'done', result: back.baseline.version });
    expect((await world.announced()).at(-1)).toBe(back.baseline.version);

    await world.visit(products(400, 100), 30_000);
    await world.restart();
    await world.visit(products(400, 100), 30_000);
    const held = last(world);
    expect(held.baseline.version).not.toBe(back.baseline.version); // its counters go on
    expect(held.baseline.manifest).toMatchObject({ kind: 'rolled-back', source: first.baseline.version, held: true });
    expect(modelsOf(held.entries)).toEqual(modelsOf(first.entries));

    const resumed = ask(operators, 'resume');
    await world.visit(products(400), 30_000);
    await world.visit(products(600), 60_000);
    expect(resumed().answer.state).toBe('done');
    expect(last(world).baseline.manifest).toMatchObject({ kind: 'learned', alerting: true });
    // nothing of what came while it was held is lost
    expect(last(world).baseline.manifest.segments).toBeGreaterThan(segments + 1_200);
    expect(last(world).baseline.manifest.createdMs).toBeGreaterThan(held.baseline.manifest.createdMs);
  }, 60_000);

  it('can forget what was learned: a restart begins with nothing as well, and the old version judges until then', async () => {
    const operators = newOperators();
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    const before = last(world);
    const asked = ask(operators, 'resume', { forget: true });
    await world.visit([], 4_000);
    expect(asked().answer.state).toBe('done');
    expect(modelsOf(last(world).entries)).toEqual(modelsOf(before.entries));
    await world.restart();
    await world.visit(products(700), 60_000);
    await world.visit(products(20), 12_000);
    const learned = last(world).baseline.manifest;
    expect(learned.kind).toBe('learned');
    expect(learned.segments).toBeLessThan(760);
  }, 60_000);

  it('that is to forget but cannot be made forgets nothing', async () => {
    const operators = newOperators();
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    operators.edits = [{ ...edit('a'), value: '{}' }]; // no version can be made with it
    const asked = ask(operators, 'resume', { forget: true });
    await world.visit([], 4_000);
    expect(asked().answer.state).toBe('refused');
    operators.edits = [];
    await world.visit(products(300), 30_000);
    expect(last(world).baseline.manifest.segments).toBeGreaterThan(900);
  }, 60_000);

  it('to what is not stored, or cannot alert, is refused by name', async () => {
    const operators = newOperators();
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    const count = world.versions.length;
    const unknown = ask(operators, 'roll-back', { version: 'no such' });
    const nothing = ask(operators, 'resume');
    await world.visit([], 4_000);
    expect(unknown().answer).toMatchObject({ state: 'refused', message: 'no such is not stored' });
    expect(nothing().answer).toMatchObject({ state: 'refused', message: 'learned versions are not held back' });
    expect(world.versions).toHaveLength(count);
  }, 60_000);
});

describe("operators' edits", () => {
  it('are in a version seconds after they were made, in every learned one, and gone when they are retired', async () => {
    const operators = newOperators();
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    const count = world.versions.length;
    operators.edits = [edit('b'), edit('a')];
    await world.visit([], 3_000);
    expect(kinds(world).slice(count)).toEqual(['edited']);
    expect(last(world).baseline.manifest).toMatchObject({
      alerting: true,
      parent: world.versions.at(-2)!.baseline.version,
    });
    const editsOf = () =>
      last(world)
        .entries.filter(({ group }) => group === 'edits')
        .map(({ key }) => key)
        .sort();
    expect(editsOf()).toEqual(['a', 'b']);
    expect(checkManifest(last(world).entries).version).toBe(last(world).baseline.version); // exported, it can be imported
    operators.edits = [edit('a'), edit('b')]; // the same in another order
    await world.visit([], 3_000);
    expect(world.versions).toHaveLength(count + 1);
    await world.restart();
    await world.visit(products(600), 60_000);
    expect(last(world).baseline.manifest.kind).toBe('learned');
    expect(last(world).baseline.manifest.segments).toBeGreaterThan(1_000);
    expect(editsOf()).toEqual(['a', 'b']);
    operators.edits = [];
    await world.visit([], 3_000);
    expect(editsOf()).toEqual([]);
    // what no version can be made with is said once, and the present version stays
    const versions = world.versions.length;
    operators.edits = [{ ...edit('a'), value: '{}' }];
    await world.visit([], 6_000);
    expect(world.versions).toHaveLength(versions);
    expect(world.sentences.filter(({ msg }) => /an operator asked for could not be published/.test(msg))).toHaveLength(
      1,
    );
  }, 60_000);
});

describe('an import', () => {
  /** Of another system, learned once for all. */
  let entries: readonly BaselineEntry[] = [];
  let id = '';
  beforeAll(async () => {
    const world = await createTrainerWorld();
    await world.visit(products(800), 60_000);
    await world.visit(products(600), 60_000);
    entries = last(world).entries;
    id = last(world).baseline.version;
  }, 60_000);
  /** As another could have been written: other facts, under their own id. */
  const resealed = (change: (facts: Record<string, unknown>) => void): [string, readonly BaselineEntry[]] => {
    const content = entries.filter(({ group }) => group !== 'manifest');
    const { version: _, ...facts } = JSON.parse(entries.find(({ group }) => group === 'manifest')!.value) as object & {
      version: string;
    };
    change(facts);
    const version = versionId(VERSION_SCHEMA, facts, content);
    const value = JSON.stringify({ version, ...facts });
    return [version, [{ group: 'manifest', kind: 'manifest', key: 'manifest', value }, ...content]];
  };

  it('judges once own traffic confirmed it, long before learning would have; own learning then takes its place', async () => {
    const operators = newOperators();
    operators.imported.set(id, entries);
    const world = await createTrainerWorld(operators, { minSegments: 1_500 });
    const asked = ask(operators, 'import', { version: id });
    await world.visit(products(400), 20_000);
    expect(asked().answer).toMatchObject({
      state: 'confirming',
      message: expect.stringMatching(/^\d+ of 1000 segments of own traffic/),
    });
    expect(world.versions).toHaveLength(0);
    await world.visit(products(650), 20_000);
    expect(asked().answer).toMatchObject({
      state: 'done',
      message: expect.stringMatching(/^1\d\d\d of 1000 segments/),
    });
    const imported = world.versions.find(({ baseline }) => baseline.manifest.kind === 'imported')!;
    expect(imported.baseline.manifest).toMatchObject({
      source: expect.any(String),
      alerting: true,
      foreign: true,
      held: false,
    });
    await world.visit(products(900), 90_000);
    expect(last(world).baseline.manifest).toMatchObject({ kind: 'learned', alerting: true });
    expect(last(world).baseline.manifest.foreign).toBeUndefined();
  }, 60_000);

  it('that own traffic contradicts never judges, and says why', async () => {
    const operators = newOperators();
    operators.imported.set(id, entries);
    const world = await createTrainerWorld(operators);
    const asked = ask(operators, 'import', { version: id });
    await world.visit(
      Array.from({ length: 400 }, (_, i) => `/other/shop/${i % 7}`),
      30_000,
    );
    expect(asked().answer).toMatchObject({
      state: 'refused',
      message: expect.stringMatching(/^own traffic contradicts it: .*unseen/),
    });
    expect(kinds(world)).not.toContain('imported');
  }, 60_000);

  it('that is still being confirmed gives way to a roll-back that can be done, and to none that cannot', async () => {
    const operators = newOperators();
    operators.imported.set(id, entries);
    const world = await createTrainerWorld(operators);
    await world.visit(products(800), 60_000);
    const own = last(world).baseline.version;
    const asked = ask(operators, 'import', { version: id });
    await world.visit([], 3_000);
    const unknown = ask(operators, 'roll-back', { version: 'no such' });
    await world.visit([], 3_000);
    expect(unknown().answer.state).toBe('refused');
    expect(asked().answer.state).toBe('confirming');
    const urgent = ask(operators, 'roll-back', { version: own });
    await world.visit([], 3_000);
    expect(urgent().answer).toMatchObject({ state: 'done', result: last(world).baseline.version });
    expect(asked().answer).toMatchObject({ state: 'refused', message: expect.stringContaining('roll-back was asked') });
    await world.visit(products(1_100), 60_000);
    expect(kinds(world)).not.toContain('imported');
  }, 60_000);

  it('that is no baseline, or not the one it says it is, is refused and keeps no request behind it waiting', async () => {
    const operators = newOperators();
    const malformed = resealed((facts) => {
      facts.learning = 5;
      facts.alerting = false;
    });
    operators.imported.set(...malformed);
    operators.imported.set('no json', [{ group: 'manifest', kind: 'manifest', key: 'manifest', value: '{' }]);
    operators.imported.set(
      id,
      entries.filter(({ group }) => group !== 'status'),
    );
    const world = await createTrainerWorld(operators);
    const refused = [malformed[0], 'no json', id].map((version) => ask(operators, 'import', { version, force: true }));
    const behind = ask(operators, 'resume');
    await world.visit([], 3_000);
    expect(refused.map((asked) => asked().answer.message)).toEqual([
      expect.stringMatching(/manifest is malformed.*learning/s),
      expect.stringContaining('no JSON'),
      expect.stringContaining('not that of'),
    ]);
    expect(behind().answer).toMatchObject({ state: 'refused', message: 'there is no version yet' });
    expect(world.versions).toHaveLength(0);
  }, 60_000);

  it('made under another key, of nothing stored, or answered by a trainer that died: refused, refused, and done once', async () => {
    const operators = newOperators();
    operators.imported.set(id, entries);
    const other = resealed((facts) => {
      facts.keyId = '0';
    });
    operators.imported.set(...other);
    const world = await createTrainerWorld(operators);
    const foreign = ask(operators, 'import', { version: other[0] });
    const nothing = ask(operators, 'import', { version: 'nothing' });
    await world.visit([], 6_000);
    expect(foreign().answer).toMatchObject({ state: 'refused', message: expect.stringContaining('redaction.key') });
    expect(nothing().answer).toMatchObject({ state: 'refused', message: expect.stringContaining('nothing is stored') });

    operators.losing = true;
    const forced = ask(operators, 'import', { version: id, force: true });
    await world.visit([], 6_000);
    operators.losing = false;
    await world.restart();
    await world.visit([], 6_000);
    expect(forced().answer).toMatchObject({ state: 'done', result: world.versions[0]!.baseline.version });
    expect(kinds(world)).toEqual(['imported']);
  }, 60_000);
});

describe('after an upgrade', () => {
  it('a stored version of an older schema is no version: learning begins anew, and says so', async () => {
    const world = await createTrainerWorld();
    await world.visit(products(800), 60_000);
    const stored = world.versions.length;
    expect(stored).toBeGreaterThan(0);
    const { entries, ...rest } = last(world);
    const old = entries.map((entry) =>
      entry.group === 'manifest' ? { ...entry, value: entry.value.replace('"schema":2', '"schema":1') } : entry,
    );
    world.versions.push({ ...rest, entries: old });
    await world.restart();
    await world.visit(products(400), 30_000);
    expect(world.sentences.some(({ msg }) => /of another schema: learning begins anew/.test(msg))).toBe(true);
    expect(world.versions[stored + 1]!.baseline.manifest).toMatchObject({ kind: 'learned', schema: 2, parent: '' });
    expect(last(world).baseline.manifest.alerting).toBe(true);
    // also what had been learned and committed before
    expect(last(world).baseline.manifest.segments).toBeGreaterThan(1_000);
  }, 60_000);
});
