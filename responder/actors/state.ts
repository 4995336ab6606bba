/** What is remembered, as a snapshot in parts and read back from one. */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { Held, HeldAlarms } from './judging/held-alarms.ts';
import type { StandingAlarms, StandingState } from './judging/standing-alarms.ts';
import { createNoticeWatch, type NoticeState, newNoticeState } from './learned/notice.ts';
import type { ObjectKindsState } from './learned/object-kinds.ts';
import { createUsersNamed, type UsersNamed } from './learned/users-named.ts';
import { fromJsonBytes, jsonBytes, type Part, type PartSource } from './parts.ts';
import { type Scene, setClock } from './scene/scene.ts';
import type { Tables } from './scene/tables.ts';

/** Another one is learned again. */
const FORMAT = 3;

export interface State {
  /** Begins a snapshot of this moment; the parts are taken one after the other, events may come in between. */
  snapshot(): Iterable<Part>;
  /** What was kept of a snapshot is lost: the next one tells everything. */
  forgetKept(): void;
  /** Of an earlier snapshot, `meta` first. Before any event. */
  restore(part: { readonly name: string; readonly bytes: Uint8Array }): void;
  /** After all parts were restored: networks and accounts are found by their key again; who has no row any more is nobody. */
  link(): void;
}

interface Meta {
  readonly format: number;
  readonly seed: number;
  readonly nowMs: number;
  readonly firstMs: number;
  readonly learning: boolean;
  readonly everyonePlaces: readonly number[];
  readonly counts: Scene['counts'];
  readonly waiting?: readonly Held[];
  readonly standing?: StandingState;
  readonly kinds: ObjectKindsState;
  readonly notices: NoticeState;
  readonly usersNamed?: ReturnType<UsersNamed['state']>;
  readonly sources: Readonly<Record<string, unknown>>;
}

export function createState(
  seed: number,
  scene: Scene,
  tables: Tables,
  { held, standing }: { readonly held: HeldAlarms; readonly standing: StandingAlarms },
): State {
  const { full, networks, accounts, kinds } = tables;
  const sources: readonly (readonly [name: string, source: PartSource])[] = [
    ['clients', tables.clients.parts],
    ['users', tables.users.parts],
    ['full', full.parts],
    ['recent', tables.recent.parts],
    ['objects', tables.objects.parts],
    ['met', tables.met.parts],
    ['operations', tables.operations.parts],
    ['steps', tables.steps.parts],
    ['volumes', tables.volumes.parts],
    ['rates', tables.rates.parts],
    ['pairs', tables.failures.parts],
    ['everybody', tables.everybody.parts],
  ];
  let linked = true;

  function* rest(meta: Meta): Iterable<Part> {
    yield { name: 'meta', bytes: jsonBytes(meta) };
    for (const [, source] of sources) yield* source.rest();
  }

  function restoreMeta(meta: Meta): void {
    if (meta.format !== FORMAT)
      throw new SpanwardenError('SCHEMA_MISMATCH', `a state of actors of format ${meta.format} cannot be read`);
    setClock(scene, meta.nowMs);
    scene.firstMs = meta.firstMs;
    scene.learning = meta.learning;
    Object.assign(scene.counts, meta.counts);
    tables.everyonePlaces = [...meta.everyonePlaces];
    tables.usersNamed = createUsersNamed(meta.usersNamed);
    tables.notices = createNoticeWatch({ ...newNoticeState(), ...meta.notices });
    kinds.restore(meta.kinds);
    held.restore(meta.waiting ?? []);
    standing.restore(meta.standing ?? { alarms: [], sweptMs: 0 });
    for (const [name, source] of sources) source.restoreMeta(meta.sources[name] ?? null);
  }

  return {
    snapshot() {
      const moments = Object.fromEntries(sources.map(([name, source]) => [name, source.begin()]));
      return rest({
        format: FORMAT,
        seed,
        nowMs: scene.nowMs,
        firstMs: scene.firstMs,
        learning: scene.learning,
        everyonePlaces: [...tables.everyonePlaces],
        counts: { ...scene.counts },
        waiting: held.state(),
        standing: standing.state(),
        kinds: kinds.state(),
        notices: structuredClone(tables.notices.state()),
        usersNamed: tables.usersNamed.state(),
        sources: moments,
      });
    },
    forgetKept() {
      for (const [, source] of sources) source.forget();
    },
    restore({ name, bytes }) {
      if (name === 'meta') {
        restoreMeta(fromJsonBytes(bytes) as Meta);
        return;
      }
      const [, source] = sources.find(([prefix]) => name.startsWith(`${prefix}/`)) ?? [];
      source?.restore(name, bytes);
      linked &&= !name.startsWith('full/');
    },
    link() {
      if (linked) return;
      linked = true;
      networks.clear();
      accounts.clear();
      for (const place of [...tables.clients.takeCut(), ...tables.users.takeCut()]) {
        tables.givenUp(full.at(place));
        full.remove(place);
      }
      for (const place of full.places()) {
        const { kind, key } = full.peek(place);
        if (kind === 'network') networks.set(key, place);
        else if (kind === 'account') accounts.set(key, place);
      }
    },
  };
}
