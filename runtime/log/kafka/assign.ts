/**
 * Who gets which partition: computed by one member of a group for all. Every partition stays with its owner where the
 * numbers allow, because a partition that moves is read again by its new owner from the last commit.
 */

export interface Member {
  readonly id: string;
  /** Partitions it holds now. */
  readonly owned: readonly number[];
  /** Generation of the group in which it got them: of two claims the later one holds. */
  readonly generation: number;
}

/** Partitions by member. All members get as many, give or take one. */
export function assignShared(members: readonly Member[], partitions: number): Map<string, number[]> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const owners = ownersOf(sorted, partitions);
  const held = new Map<string, number[]>(sorted.map(({ id }) => [id, []]));
  const free: number[] = [];
  for (let p = 0; p < partitions; p++) {
    const owner = owners[p];
    if (owner === undefined) free.push(p);
    else held.get(owner)!.push(p);
  }
  const share = Math.floor(partitions / sorted.length);
  let larger = partitions % sorted.length;
  // those who hold most keep the larger shares, so that the fewest partitions move
  for (const { id } of sorted.toSorted((a, b) => held.get(b.id)!.length - held.get(a.id)!.length)) {
    const own = held.get(id)!;
    const quota = share + (larger > 0 && own.length > share ? 1 : 0);
    if (quota > share) larger--;
    free.push(...own.splice(quota));
  }
  free.sort((a, b) => a - b);
  for (const { id } of sorted) {
    const own = held.get(id)!;
    while (own.length < share) own.push(free.shift()!);
  }
  for (const { id } of sorted) {
    if (free.length === 0) break;
    const own = held.get(id)!;
    if (own.length === share) own.push(free.shift()!);
  }
  for (const own of held.values()) own.sort((a, b) => a - b);
  return held;
}

/** All partitions to one member: the present owner, else the first by id; the others stand by. */
export function assignExclusive(members: readonly Member[], partitions: number): Map<string, number[]> {
  const sorted = members.toSorted(
    (a, b) => b.owned.length - a.owned.length || b.generation - a.generation || (a.id < b.id ? -1 : 1),
  );
  return new Map(sorted.map(({ id }, i) => [id, i === 0 ? Array.from({ length: partitions }, (_, p) => p) : []]));
}

function ownersOf(members: readonly Member[], partitions: number): (string | undefined)[] {
  const owners = new Array<string | undefined>(partitions).fill(undefined);
  const since = new Array<number>(partitions).fill(-2);
  for (const { id, owned, generation } of members)
    for (const p of owned)
      if (p < partitions && generation > since[p]!) {
        owners[p] = id;
        since[p] = generation;
      }
  return owners;
}
