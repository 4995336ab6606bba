/**
 * Which signatures an unmatched tree may resemble: an inverted index over (grandparent, parent, self) label grams, rare
 * ones first, then the weighted Jaccard similarity of the gram sets (DETECTION §1).
 */
import { mix } from '../structure/hash.ts';
import { createNumberTable, insert, lookUp } from '../structure/number-table.ts';
import type { CountedTree } from './counted-tree.ts';

type Flat = Pick<CountedTree, 'size' | 'parent' | 'hash'>;

export interface Candidates {
  /**
   * The most similar signatures by weighted Jaccard, best first. `entry`: label hash that the signatures' entry must
   * have, 0 for any. `allowed` leaves signatures out.
   */
  find(tree: Flat, entry: number, most: number, allowed: (signature: number) => boolean): Candidate[];
}

export interface Candidate {
  readonly signature: number;
  readonly jaccard: number;
}

/** Rarest grams looked up, and postings visited, for one tree: what an attacker's trace may cost. */
const MAX_GRAMS = 128;
const MAX_POSTINGS = 4_096;
/** Of the signatures met, those with the most weight in common are compared in full. */
const COMPARED = 16;

const GRAM = 0x4752;

/** Distinct grams of a tree. */
function gramsOf(tree: Flat): number[] {
  const grams = new Set<number>();
  for (let i = 0; i < tree.size; i++) {
    const parent = tree.parent[i]!;
    const grand = parent < 0 ? -1 : tree.parent[parent]!;
    const above = mix(grand < 0 ? GRAM : tree.hash[grand]!, parent < 0 ? GRAM : tree.hash[parent]!);
    grams.add(mix(above, tree.hash[i]!));
  }
  return [...grams];
}

export function createCandidates(signatures: readonly CountedTree[]): Candidates {
  const ids = createNumberTable(1024);
  const frequency: number[] = [];
  const own = signatures.map((signature) =>
    gramsOf(signature).map((gram) => {
      let id = lookUp(ids, gram);
      if (id < 0) {
        id = frequency.length;
        insert(ids, gram, id);
        frequency.push(0);
      }
      frequency[id]!++;
      return id;
    }),
  );
  const weight = frequency.map((count) => Math.log(1 + signatures.length / count));
  const unknownWeight = Math.log(1 + signatures.length);
  const total = own.map((grams) => grams.reduce((sum, gram) => sum + weight[gram]!, 0));

  // Postings by (entry, gram), and by gram alone for entries that were never learned.
  const lists: number[][] = [];
  const listOf = createNumberTable(1024);
  const post = (key: number, signature: number): void => {
    let at = lookUp(listOf, key);
    if (at < 0) {
      at = lists.length;
      insert(listOf, key, at);
      lists.push([]);
    }
    lists[at]!.push(signature);
  };
  own.forEach((grams, signature) => {
    const entry = signatures[signature]!.hash[0]!;
    for (const gram of grams) {
      post(mix(entry, gram), signature);
      post(mix(0, gram), signature);
    }
  });

  const common = new Float64Array(signatures.length);
  const present = new Uint8Array(frequency.length);

  return {
    find(tree, entry, most, allowed) {
      let unknown = 0;
      const grams: number[] = [];
      for (const gram of gramsOf(tree)) {
        const id = lookUp(ids, gram);
        if (id < 0) unknown++;
        else grams.push(id);
      }
      let sum = unknown * unknownWeight;
      for (const gram of grams) {
        sum += weight[gram]!;
        present[gram] = 1;
      }
      grams.sort((x, y) => frequency[x]! - frequency[y]! || x - y);
      const met: number[] = [];
      let visited = 0;
      for (let g = 0; g < grams.length && g < MAX_GRAMS && visited < MAX_POSTINGS; g++) {
        const list = lookUp(listOf, mix(entry, grams[g]!));
        if (list < 0) continue;
        for (const signature of lists[list]!) {
          if (++visited > MAX_POSTINGS) break;
          if (common[signature] === 0) met.push(signature);
          common[signature]! += weight[grams[g]!]!;
        }
      }
      const nearest = met
        .filter(allowed)
        .sort((x, y) => common[y]! / total[y]! - common[x]! / total[x]! || common[y]! - common[x]! || x - y)
        .slice(0, COMPARED);
      for (const signature of met) common[signature] = 0;
      const found = nearest.map((signature) => {
        let both = 0;
        for (const gram of own[signature]!) if (present[gram] === 1) both += weight[gram]!;
        return { signature, jaccard: both / (sum + total[signature]! - both) };
      });
      for (const gram of grams) present[gram] = 0;
      return found.sort((x, y) => y.jaccard - x.jaccard || x.signature - y.signature).slice(0, most);
    },
  };
}
