/** Writing edits: what refers to nothing is refused, every revision is an event, each goes with what it would have changed. */
import { draftOf } from '../baseline/edits/draft.ts';
import { type KnownNames, knownNames, unknownReferences } from '../baseline/edits/known.ts';
import { summaryOf } from '../baseline/edits/words.ts';
import type { StoredEdit } from '../runtime/clickhouse/store.ts';
import { nearest } from '../runtime/config/nearest.ts';
import { type EditBody, type EditDocument, type EditInput, editBody, type Novelty } from '../schemas/baselines/edit.ts';
import type { Preview, Previewer } from './preview.ts';
import { ProblemError } from './problem.ts';
import type { ConsoleStore } from './store.ts';

export interface WrittenEdit {
  readonly document: EditDocument;
  readonly summary: string;
  readonly incidentId: string;
  readonly preview: Preview | null;
}

export interface EditDesk {
  list(): Promise<readonly StoredEdit[]>;
  /** Every revision, newest first. */
  history(id: string): Promise<readonly StoredEdit[]>;
  /** With `dryRun` nothing is written. `supersedes`: the revision that the writer has seen. */
  write(
    input: unknown,
    by: string,
    options: {
      readonly id?: string;
      readonly supersedes?: number;
      readonly incidentId?: string;
      /** Novelties that were just read from verdicts: they need not be looked for. */
      readonly seen?: readonly Novelty[];
      readonly dryRun?: boolean;
      readonly preview?: boolean;
    },
  ): Promise<WrittenEdit>;
  retire(
    id: string,
    by: string,
    comment: string,
    options: { readonly dryRun: boolean; readonly preview: boolean },
  ): Promise<WrittenEdit>;
  /** Names of the newest version. */
  known(): Promise<KnownNames | null>;
  /** What was learned of a signature, as a document to be changed and pinned. */
  draft(signature: string): Promise<EditInput>;
}

export interface EditDeskDeps {
  readonly store: ConsoleStore;
  readonly previewer: Previewer;
  readonly now: () => number;
  readonly newId: () => string;
}

/** A novelty is known for as long as verdicts are likely to be looked at. */
const NOVELTIES_MS = 30 * 86_400_000;

export function createEditDesk({ store, previewer, now, newId }: EditDeskDeps): EditDesk {
  let cached: KnownNames | null = null;
  /** Writing is one after another, previews are not waited for: what a revision supersedes must stand while it is written. */
  let last: Promise<unknown> = Promise.resolve();

  async function known(): Promise<KnownNames | null> {
    const [newest] = await store.listVersions(1);
    if (newest === undefined) return null;
    if (cached?.version !== newest.version) {
      const { entries } = await store.loadVersion(newest.version);
      cached = knownNames(newest.version, entries);
    }
    return cached;
  }

  async function check(body: EditBody, seen: readonly Novelty[]): Promise<void> {
    const names = await known();
    if (names === null) throw new ProblemError(409, 'there is no baseline version yet that could be edited');
    const calls = await store.inventoryCalls();
    const isSeen = ({ kind, explanationKey }: Novelty): boolean =>
      seen.some((one) => one.kind === kind && one.explanationKey === explanationKey);
    const stored = body.approve.every(isSeen) ? [] : await store.novelties(now() - NOVELTIES_MS);
    const novelties = [...seen, ...(stored as readonly Novelty[])];
    const problems = unknownReferences(body, names, { calls, novelties }, nearest);
    if (problems.length > 0)
      throw new ProblemError(422, `the edit refers to what is not known: ${problems.join('; ')}`, problems);
  }

  /** `POST /checkout #3` as people read it becomes the signature's key. */
  async function resolved(input: unknown): Promise<unknown> {
    const { signature } = (input ?? {}) as { signature?: unknown };
    if (typeof signature !== 'string') return input;
    const found = (await known())?.signatures.find(({ name }) => name === signature);
    return found === undefined ? input : { ...(input as object), signature: found.key };
  }

  function parse(input: unknown): EditBody {
    const parsed = editBody.safeParse(input);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues.map(({ path, message }) =>
      path.length > 0 ? `${path.join('.')}: ${message}` : message,
    );
    throw new ProblemError(400, `the edit is malformed: ${issues.join('; ')}`, issues);
  }

  const standing = async (): Promise<EditDocument[]> => (await store.edits()).map(({ document }) => document);

  /** The document as it would be written now; throws where it does not go with what stands. */
  function documentOf(
    documents: readonly EditDocument[],
    body: EditBody,
    by: string,
    id: string,
    supersedes: number | undefined,
  ): EditDocument {
    const present = documents.find((one) => one.id === id);
    if (supersedes !== undefined && present === undefined && supersedes > 0)
      throw new ProblemError(404, `no edit '${id}'; there are ${documents.map((one) => one.id).join(', ') || 'none'}`);
    if (present !== undefined && supersedes !== undefined && supersedes !== present.revision)
      throw new ProblemError(409, `edit ${id} is at revision ${present.revision}, not ${supersedes}: look at it again`);
    if (present !== undefined && supersedes === undefined)
      throw new ProblemError(409, `edit '${id}' exists: revise it`);
    const atMs = now();
    if (body.expiresMs !== null && body.expiresMs <= atMs && body.state !== 'retired')
      throw new ProblemError(400, 'the edit would have ended already: expiresMs is in the past');
    return {
      ...body,
      id,
      revision: (present?.revision ?? 0) + 1,
      supersedes: present?.revision ?? 0,
      by,
      atMs,
    };
  }

  /** Looked at first, for minutes when there is much to judge again; then written in turn, if it still goes with what stands. */
  async function writeNow(
    body: EditBody,
    by: string,
    { id = newId(), supersedes, incidentId = '', dryRun = false, preview = true }: Parameters<EditDesk['write']>[2],
  ): Promise<WrittenEdit> {
    const documents = await standing();
    const document = documentOf(documents, body, by, id, supersedes);
    const shown = preview ? await previewer.preview(documents, document) : null;
    const written = { document, summary: summaryOf(body), incidentId, preview: shown };
    if (dryRun) return written;
    return inTurn(async () => {
      const now = { ...written, document: documentOf(await standing(), body, by, id, supersedes) };
      await store.insertEdit({ ...now, preview: shown === null ? '' : JSON.stringify(shown) });
      return now;
    });
  }

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };

  return {
    known,
    async draft(name) {
      const names = await known();
      const all = names?.signatures ?? [];
      const found = all.find((one) => one.name === name || one.key === name);
      if (names === null || found === undefined) {
        const near = nearest(
          name.slice(0, 256),
          all.slice(0, 2_000).map((one) => one.name),
        );
        throw new ProblemError(404, `no signature '${name}'${near === '' ? '' : `; the nearest is '${near}'`}`);
      }
      return draftOf(found, (await store.loadVersion(names.version)).entries);
    },
    list: () => store.edits(),
    async history(id) {
      const found = await store.edits({ id, history: true });
      if (found.length > 0) return found;
      const ids = (await standing()).map((one) => one.id);
      throw new ProblemError(404, `no edit '${id}'${ids.length === 0 ? '' : `; the nearest is '${nearest(id, ids)}'`}`);
    },
    async write(input, by, options) {
      const body = parse(await resolved(input));
      await check(body, options.seen ?? []);
      return writeNow(body, by, options);
    },
    async retire(id, by, comment, options) {
      const documents = await standing();
      const present = documents.find((one) => one.id === id);
      if (present === undefined)
        throw new ProblemError(
          404,
          `no edit '${id}'; there are ${documents.map((one) => one.id).join(', ') || 'none'}`,
        );
      if (present.state === 'retired') throw new ProblemError(409, `edit '${id}' is retired already`);
      const { id: _id, revision, supersedes: _supersedes, by: _by, atMs: _atMs, ...body } = present;
      return writeNow({ ...body, state: 'retired', comment }, by, { id, supersedes: revision, ...options });
    },
  };
}
