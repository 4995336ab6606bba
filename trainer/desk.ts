/**
 * What operators want of the baseline, as far as the trainer has heard: edits that are not in the present version, requests to
 * roll back, import or resume. It reads them now and then, answers them, and says which version is to be made next.
 */
import type { Baseline } from '../baseline/baseline.ts';
import type { BaselineEntry, Judgement } from '../baseline/model.ts';
import { isRetryable, SpanwardenError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import { checkManifest } from '../schemas/baselines/manifest.ts';
import type { AnsweredRequest, BaselineAnswerState, BaselineRequest } from '../schemas/baselines/request.ts';
import { type Confirmation, createConfirmation } from './confirm.ts';
import type { Derivation } from './derive.ts';
import { type EditsSource, editsKey } from './edits.ts';
import type { PublishedVersion, RequestStore, StoredEntries } from './store.ts';

export interface DeskDeps {
  readonly edits: EditsSource;
  readonly requests: RequestStore;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  /** Fingerprint of this installation's key: hashes made under another mean nothing here. */
  readonly keyId: string;
  /** Compiles entries. Throws BASELINE_DAMAGED, BASELINE_SCHEMA. */
  load(entries: readonly BaselineEntry[]): Baseline;
}

/** What is to be published next; whatever is left out is as the trainer has it. */
export interface Wish extends Pick<Derivation, 'kind' | 'source' | 'edits' | 'held' | 'request'> {
  /** What was counted before is forgotten. */
  readonly forget: boolean;
}

export interface Desk {
  /** Operators' edits as they stand; before they were heard, those of the present version. */
  edits(current: Pick<PublishedVersion, 'entries'> | null): readonly BaselineEntry[];
  /** An imported version that waits for own traffic's word; every settled segment is to be judged by it and told to `heard`. */
  readonly candidate: Baseline | undefined;
  heard(judgement: Judgement): void;
  /** Reads edits and requests when it is time. Never rejects: while the store is away, what was heard before stands. */
  poll(current: PublishedVersion | null): Promise<void>;
  /** The version to make next over `current`, if any. */
  wish(current: PublishedVersion | null): Wish | undefined;
  /** A wished version is durable and announced. */
  fulfilled(wish: Wish, version: string): Promise<void>;
  /** A wished version could not be made: its request is refused. */
  failed(wish: Wish, error: unknown): Promise<void>;
}

/** How far a confirmation is, is written down so often. */
const TELL_MS = 10_000;

interface Pending {
  readonly request: AnsweredRequest;
  readonly source: StoredEntries;
  readonly candidate?: Baseline;
  readonly confirmation?: Confirmation;
}

export function createDesk({ pollMs }: { readonly pollMs: number }, deps: DeskDeps): Desk {
  const { requests, logger, now } = deps;
  const answered = deps.metrics.counter('trainer_requests_total', "Operators' requests answered, by kind and outcome");
  let edits: readonly BaselineEntry[] | undefined;
  let pending: Pending | undefined;
  /** Answered by this process: a replica of the store may still show them as open. */
  const done = new Set<string>();
  /** Imports that gave way, and to what: refused as soon as the store takes the answer. */
  const replaced = new Map<string, BaselineRequest['kind']>();
  let lastPollMs = Number.NEGATIVE_INFINITY;
  let lastToldMs = Number.NEGATIVE_INFINITY;
  let away = false;
  /** Edits that no version could be made with: they are tried again when they change. */
  let unusable: string | undefined;

  /** Whether a version is to be made for the request that is pending. */
  const isNext = (): boolean =>
    pending !== undefined && (pending.confirmation === undefined || pending.confirmation.state === 'confirmed');

  async function answer(
    request: BaselineRequest,
    state: BaselineAnswerState,
    message: string,
    result = '',
  ): Promise<void> {
    await requests.answer(request, { state, message, result, atMs: now() });
    if (state !== 'done' && state !== 'refused') return;
    done.add(request.id);
    answered.add(1, { kind: request.kind, state });
    logger.info(
      { request: request.id, kind: request.kind, by: request.by, state, version: result },
      `an operator's request: ${message}`,
    );
  }

  async function read(current: PublishedVersion | null): Promise<void> {
    edits = await deps.edits.read();
    if (isNext()) return;
    const open = (await requests.pending()).filter(({ id }) => !done.has(id));
    for (const request of open) {
      // an import waits for the one before it; what is urgent waits for no import
      if (replaced.has(request.id) || (pending !== undefined && request.kind === 'import')) continue;
      const made = await requests.madeFor(request.id);
      if (made !== '') {
        await answer(request, 'done', 'done before this trainer started', made);
        continue;
      }
      let taken: Pending | undefined;
      try {
        taken = await take(request, current);
      } catch (error) {
        // what another attempt cannot better must not stand in the way of the requests behind it
        if (isRetryable(error) && !isUnknown(error)) throw error;
        await answer(request, 'refused', error instanceof Error ? error.message : String(error));
      }
      if (isNext()) break; // confirmed meanwhile: this one is taken once that is made
      if (taken === undefined) continue;
      if (pending !== undefined) replaced.set(pending.request.id, request.kind);
      pending = taken;
      if (isNext()) break;
    }
    for (const request of open) {
      const by = replaced.get(request.id);
      if (by !== undefined) await answer(request, 'refused', `a ${by} was asked for while it was being confirmed`);
    }
    if (pending !== undefined) await tell(pending);
  }

  /** What the request is about, or nothing when it was answered at once. */
  async function take(request: AnsweredRequest, current: PublishedVersion | null): Promise<Pending | undefined> {
    const refuse = async (why: string): Promise<undefined> => {
      await answer(request, 'refused', why);
      return undefined;
    };
    if (request.kind === 'resume') {
      if (current === null) return refuse('there is no version yet');
      if (current.baseline.manifest.held !== true && !request.forget)
        return refuse('learned versions are not held back');
      return { request, source: { manifest: current.baseline.manifest, entries: current.entries } };
    }
    const source = request.kind === 'roll-back' ? await requests.loadVersion(request.version) : await imported(request);
    const { alerting, keyId, learning } = source.manifest;
    if (!alerting) return refuse(`version ${request.version} cannot raise alerts: ${learning.join('; ')}`);
    if (keyId !== undefined && keyId !== deps.keyId)
      return refuse(
        `version ${request.version} holds hashes made under another key (redaction.key): learn it with the key of this installation`,
      );
    const candidate = deps.load(source.entries);
    if (request.kind === 'roll-back' || request.force) return { request, source };
    return { request, source, candidate, confirmation: createConfirmation(source.manifest.alpha) };
  }

  async function imported(request: AnsweredRequest): Promise<StoredEntries> {
    const entries = await requests.loadImported(request.version);
    if (entries.length === 0)
      throw new SpanwardenError('BASELINE_DAMAGED', `nothing is stored of the imported version ${request.version}`);
    const manifest = checkManifest(entries);
    if (manifest.version !== request.version)
      throw new SpanwardenError('BASELINE_DAMAGED', `what is stored of ${request.version} is ${manifest.version}`);
    return { manifest, entries };
  }

  /** How far it is; a version that own traffic contradicts is refused. */
  async function tell({ request, confirmation }: Pending): Promise<void> {
    if (confirmation === undefined) return;
    if (confirmation.state === 'contradicted') {
      pending = undefined;
      return answer(request, 'refused', `own traffic contradicts it: ${confirmation.text}`);
    }
    if (now() - lastToldMs < TELL_MS) return;
    lastToldMs = now();
    await answer(request, 'confirming', confirmation.text);
  }

  return {
    edits: (current) => edits ?? editsOf(current),
    get candidate() {
      return pending?.confirmation?.state === 'confirming' ? pending.candidate : undefined;
    },
    heard(judgement) {
      pending?.confirmation?.add(judgement);
    },
    async poll(current) {
      if (now() - lastPollMs < pollMs) return;
      lastPollMs = now();
      try {
        await read(current);
        away = false;
      } catch (error) {
        if (!away) logger.warn({ err: error }, "operators' edits and requests cannot be read");
        away = true;
      }
    },
    wish(current) {
      if (edits === undefined) return undefined; // not heard yet: nothing is taken out of a version for that
      const held = current?.baseline.manifest.held === true;
      if (pending !== undefined && isNext()) {
        const { request, source } = pending;
        const common = { source, edits, request: request.id, forget: false };
        if (request.kind === 'roll-back') return { ...common, kind: 'rolled-back', held: true };
        if (request.kind === 'import') return { ...common, kind: 'imported', held: false };
        const { kind = 'learned' } = source.manifest;
        return { ...common, kind: kind === 'learned' ? 'edited' : kind, held: false, forget: request.forget };
      }
      if (current === null) return undefined;
      const key = editsKey(edits);
      if (key === editsKey(editsOf(current)) || key === unusable) return undefined;
      const source = { manifest: current.baseline.manifest, entries: current.entries };
      return { kind: 'edited', source, edits, held, request: '', forget: false };
    },
    async fulfilled(wish, version) {
      if (wish.request === '' || pending?.request.id !== wish.request) return;
      const { request, confirmation } = pending;
      pending = undefined;
      await answer(request, 'done', confirmation?.text ?? DONE[request.kind], version);
    },
    async failed(wish, error) {
      if (wish.request === '') unusable = editsKey(wish.edits);
      if (wish.request === '' || pending?.request.id !== wish.request) return;
      const { request } = pending;
      pending = undefined;
      await answer(request, 'refused', error instanceof Error ? error.message : String(error));
    },
  };
}

const isUnknown = (error: unknown): boolean => error instanceof SpanwardenError && error.code === 'BASELINE_UNKNOWN';

const editsOf = (version: Pick<PublishedVersion, 'entries'> | null): readonly BaselineEntry[] =>
  version?.entries.filter(({ group }) => group === 'edits') ?? [];

const DONE: Readonly<Record<BaselineRequest['kind'], string>> = {
  'roll-back': 'current again, until resumed; learning goes on beside it',
  import: 'current, without the word of own traffic',
  resume: 'what is learned may become current again',
};

/** Of a trainer that no operator reaches. */
export const NO_REQUESTS: RequestStore = {
  pending: async () => [],
  answer: async () => {},
  madeFor: async () => '',
  loadVersion: async (version) => {
    throw new SpanwardenError('BASELINE_UNKNOWN', `baseline version ${version} is not stored`);
  },
  loadImported: async () => [],
};
