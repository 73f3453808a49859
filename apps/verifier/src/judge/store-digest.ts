import { createHash } from 'node:crypto';

/** What a store holds, in 64 hexadecimal digits: the same for the same entries, in whatever order they came. */
export function storeDigest(entries: Iterable<readonly [string, Buffer]>): string {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const hash = createHash('sha256');
  for (const [key, value] of sorted) hash.update(`${key} ${value.toString('hex')}\n`);
  return hash.digest('hex');
}

/** A copy of a store, made when its process was killed. */
export interface StoreCopy {
  /** Where it comes from, for people: `kill 3`. */
  readonly name: string;
  readonly stage: number;
  readonly task: number;
  /** The store's position; undefined for a store that holds nothing. */
  readonly offset: number | undefined;
  readonly digest: string;
  readonly entries: number;
}
