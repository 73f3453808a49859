/**
 * Sequence numbers of one producer identity, by partition: the log refuses a batch that is out of order, and knows one that it has.
 * They follow each other from 0 and wrap at 2^31 (KIP-98).
 */
const SEQUENCE_LIMIT = 2 ** 31;

export class PartitionSequences {
  readonly #next = new Map<string, number>();
  /** Partitions that have acknowledged something of this identity. */
  readonly #established = new Set<string>();

  /** The sequence number of the next record of a partition. */
  next(partition: string): number {
    return this.#next.get(partition) ?? 0;
  }

  /** Uses up the next sequence numbers of a partition, one for each of `records`. */
  advance(partition: string, records: number): void {
    this.#next.set(partition, (this.next(partition) + records) % SEQUENCE_LIMIT);
  }

  /** Whether the leader of a partition knows this identity, so that it refuses what is out of order. */
  isEstablished(partition: string): boolean {
    return this.#established.has(partition);
  }

  establish(partition: string): void {
    this.#established.add(partition);
  }

  /** For a new identity. */
  clear(): void {
    this.#next.clear();
    this.#established.clear();
  }
}
