import { crc32 } from '@weir/core';
import type { SeenRecord } from './seen-record.js';

/**
 * What one reader saw of a topic: offset and checksum of each record, by partition, in the order seen. Two readers of the same records
 * have the same trail.
 */
export class SeenTrail {
  readonly #partitions: PartitionTrail[] = [];

  get count(): number {
    return this.#partitions.reduce((sum, { count }) => sum + count, 0);
  }

  /** Partitions that something was seen of, or that lie below one. */
  get partitions(): number {
    return this.#partitions.length;
  }

  see({ partition, offset, key, value }: SeenRecord): void {
    this.#of(partition).push(offset, checksum(key, value));
  }

  /** Adds what `line` says: see `lines`. */
  seeLine(line: string): void {
    const [partition, offset, sum] = line.split(' ').map(Number) as [number, number, number];
    this.#of(partition).push(offset, sum);
  }

  /** One line a record: partition, offset, checksum. */
  *lines(): IterableIterator<string> {
    for (const [partition, trail] of this.#partitions.entries()) {
      for (let i = 0; i < trail.count; i++) yield `${partition} ${trail.offsets[i]} ${trail.sums[i]}`;
    }
  }

  /** @returns the first difference of each partition, in words; `this` and `other` are called by their names there */
  differences(ownName: string, other: SeenTrail, otherName: string): string[] {
    const found: string[] = [];
    for (let partition = 0; partition < Math.max(this.partitions, other.partitions); partition++) {
      const mine = this.#of(partition);
      const theirs = other.#of(partition);
      const at = mine.firstDifference(theirs);
      if (at !== undefined)
        found.push(`partition ${partition}, record ${at}: ${ownName} saw ${mine.text(at)}, ${otherName} ${theirs.text(at)}`);
    }
    return found;
  }

  #of(partition: number): PartitionTrail {
    while (this.#partitions.length <= partition) this.#partitions.push(new PartitionTrail());
    return this.#partitions[partition]!;
  }
}

class PartitionTrail {
  offsets = new Float64Array(256);
  sums = new Uint32Array(256);
  count = 0;

  push(offset: number, sum: number): void {
    if (this.count === this.offsets.length) {
      const offsets = new Float64Array(this.count * 2);
      const sums = new Uint32Array(this.count * 2);
      offsets.set(this.offsets);
      sums.set(this.sums);
      this.offsets = offsets;
      this.sums = sums;
    }
    this.offsets[this.count] = offset;
    this.sums[this.count++] = sum;
  }

  firstDifference(other: PartitionTrail): number | undefined {
    const common = Math.min(this.count, other.count);
    for (let i = 0; i < common; i++) if (this.offsets[i] !== other.offsets[i] || this.sums[i] !== other.sums[i]) return i;
    return this.count === other.count ? undefined : common;
  }

  text(i: number): string {
    return i < this.count ? `offset ${this.offsets[i]} (checksum ${this.sums[i]})` : `nothing after ${this.count} records`;
  }
}

/** Tells null from empty, and key from value. */
function checksum(key: Buffer | null, value: Buffer | null): number {
  const lengths = Buffer.alloc(8);
  lengths.writeInt32BE(key?.length ?? -1, 0);
  lengths.writeInt32BE(value?.length ?? -1, 4);
  const all = Buffer.concat([lengths, key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]);
  return crc32(all, 0, all.length) >>> 0;
}
