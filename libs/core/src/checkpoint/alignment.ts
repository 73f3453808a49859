import type { CheckpointId } from '../model/brands.js';

/**
 * Alignment of one task: which barrier it has seen last from each upstream task on each of its repartition partitions. It holds barrier n
 * when all of them are n. Pure.
 *
 * No buffers are needed (R2): readers see committed records only, and between its commit with barrier n and the end of n an upstream task
 * commits nothing (R1). So a record that can be seen behind a barrier n shows that n has ended, and it is processed (R5).
 */
export class Alignment {
  /** By input partition, then by upstream task. */
  readonly #seen = new Map<string, CheckpointId[]>();

  /** @param barriers as the epoch record has them, one per upstream task */
  add(partition: string, barriers: readonly CheckpointId[]): void {
    this.#seen.set(partition, [...barriers]);
  }

  /** Whether the task reads repartition topics at all; if not, the trigger alone is its barrier. */
  get isNeeded(): boolean {
    return this.#seen.size > 0;
  }

  /** A barrier was read. An older one than was seen already is late, and changes nothing (R4). */
  onBarrier(partition: string, writer: number, id: CheckpointId): void {
    const barriers = this.#seen.get(partition)!;
    if (id > barriers[writer]!) barriers[writer] = id;
  }

  /** Whether barrier `id` has come from every upstream task on every partition. A barrier above it ends alignment on it (R4). */
  holds(id: CheckpointId): boolean {
    for (const barriers of this.#seen.values()) if (barriers.some((seen) => seen !== id)) return false;
    return true;
  }

  /** Last barriers of a partition: for the epoch record. */
  barriersOf(partition: string): readonly CheckpointId[] {
    return [...(this.#seen.get(partition) ?? [])];
  }
}
