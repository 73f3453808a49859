import { type StoreCopy, storeDigest } from './store-digest.js';
import type { ReplayedPartition } from './changelog-replay.js';
import type { Violations } from './violation.js';

/**
 * Compares copies of a task's store with the replay of its changelog, as it passes each copy's position: a store holds exactly what the
 * changelog holds below its position. It sees what the end of a run no longer shows, for a restored store is right again.
 */
export class StoreAudit {
  readonly #copies: StoreCopy[];
  #next = 0;

  /** @param copies of one task */
  constructor(
    copies: readonly StoreCopy[],
    private readonly violations: Violations,
  ) {
    this.#copies = copies.filter((copy) => copy.offset !== undefined).sort((a, b) => a.offset! - b.offset!);
    for (const copy of copies) if (copy.offset === undefined && copy.entries > 0) this.#report(copy, 'has entries and no position');
  }

  get audited(): number {
    return this.#next;
  }

  /** Before the record at `offset` is replayed. */
  before(offset: number, replayed: ReplayedPartition): void {
    while (this.#next < this.#copies.length && this.#copies[this.#next]!.offset! <= offset)
      this.#compare(this.#copies[this.#next++]!, replayed);
  }

  /** @param end the last stable offset */
  finish(replayed: ReplayedPartition, end: number): void {
    this.before(end, replayed);
    for (const copy of this.#copies.slice(this.#next)) this.#report(copy, `stands at ${copy.offset}, and the changelog ends at ${end}`);
  }

  #compare(copy: StoreCopy, replayed: ReplayedPartition): void {
    if (storeDigest(replayed.entries) === copy.digest) return;
    this.#report(
      copy,
      `stands at ${copy.offset} with ${copy.entries} entries, and differs from the ${replayed.entries.size} of the changelog below that offset`,
    );
  }

  #report(copy: StoreCopy, what: string): void {
    this.violations.add('store-ahead', `the store of task ${copy.stage}-${copy.task} after ${copy.name} ${what}`);
  }
}
