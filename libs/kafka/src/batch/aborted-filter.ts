/** A producer's aborted transaction, and the offset of its first record. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * Tells which batches of one fetched run belong to aborted transactions (KIP-98, as Kafka's own consumer does it). The broker lists
 * the aborted transactions that overlap the run, in no order that may be relied on.
 *
 * Invariants:
 * - A1. Every listed transaction that begins at or before the end of a batch counts for that batch: all of them, not the next one.
 * - A2. A producer counts as aborted from the first record of a listed transaction to its abort marker, and the marker is a control
 *   batch. A record of a user can look like a marker in everything else, and ends nothing.
 */
export class AbortedFilter {
  #list: readonly AbortedTransaction[] = [];
  #next = 0;
  readonly #producers = new Set<number>();

  /** Begins a run. */
  start(aborted: readonly AbortedTransaction[]): void {
    this.#list = aborted.length > 1 ? [...aborted].sort((a, b) => a.firstOffset - b.firstOffset) : aborted;
    this.#next = 0;
    this.#producers.clear();
  }

  /** Whether nothing of this run was aborted: the common case. */
  get isIdle(): boolean {
    return this.#list.length === 0;
  }

  /** Takes note of a batch that ends at `lastOffset`; called for every batch of the run, in order, before the other two. */
  reach(lastOffset: number): void {
    while (this.#next < this.#list.length && this.#list[this.#next]!.firstOffset <= lastOffset) {
      this.#producers.add(this.#list[this.#next++]!.producerId); // A1
    }
  }

  /** Whether a transactional batch of this producer is to be dropped. */
  drops(producerId: number): boolean {
    return this.#producers.has(producerId);
  }

  /** The abort marker of a producer: its next records are those of another transaction (A2). */
  marker(producerId: number): void {
    this.#producers.delete(producerId);
  }
}
