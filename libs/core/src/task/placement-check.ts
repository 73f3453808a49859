import { errors, showBytes } from '../errors/errors.js';
import { type PartitionFunction, PARTITIONER_NAMES, PARTITIONERS, type PartitionerName } from '../model/partitioner.js';
import type { AlreadyPartitioned } from '../topology/topic.js';

/**
 * Checks that a topic declared `alreadyPartitioned` is: each key, when it enters a table of keys, must lie in the partition where its
 * partitioner puts it. I7 stands on this.
 *
 *   auto: CANDIDATES{murmur2, crc32} --keys that only one of them explains--> SETTLED(name)
 *
 * Settled is settled: the choice is recorded with the job's state, and a later start begins with it. With one partition everything
 * fits, and nothing is ever settled.
 */
export class PlacementCheck {
  #candidates: readonly (PartitionerName | PartitionFunction)[];
  readonly #declared: string;

  constructor(
    private readonly topic: string,
    private readonly partitions: number,
    { partitioner }: AlreadyPartitioned,
  ) {
    this.#candidates = partitioner === 'auto' ? PARTITIONER_NAMES : [partitioner];
    this.#declared = typeof partitioner === 'function' ? 'a function of yours' : partitioner;
  }

  /** What `auto` has found; undefined while it has not, and for a function. */
  get settled(): PartitionerName | undefined {
    const [only, ...others] = this.#candidates;
    return others.length === 0 && typeof only === 'string' ? only : undefined;
  }

  /** Takes up what an earlier run settled on, unless the user now says otherwise. */
  adopt(recorded: PartitionerName | undefined): void {
    if (recorded !== undefined && this.#candidates.includes(recorded)) this.#candidates = [recorded];
  }

  /** @throws WeirError `invalid` KEY_ELSEWHERE */
  check(key: Buffer, partition: number, offset: number): void {
    const fitting = this.#candidates.filter((candidate) => this.#place(candidate, key) === partition);
    if (fitting.length === this.#candidates.length) return;
    if (fitting.length === 0) throw this.#elsewhere(key, partition, offset);
    this.#candidates = fitting;
  }

  #place(candidate: PartitionerName | PartitionFunction, key: Buffer): number {
    const place = typeof candidate === 'string' ? PARTITIONERS[candidate] : candidate;
    return place(key, 0, key.length, this.partitions);
  }

  #elsewhere(key: Buffer, partition: number, offset: number): Error {
    const places = PARTITIONER_NAMES.map((name) => `${name} puts it into partition ${this.#place(name, key)}`);
    const fits = PARTITIONER_NAMES.filter((name) => this.#place(name, key) === partition);
    const expected = fits.length > 0 ? `${fits.join(' and ')} would put it` : `no known partitioner would put it (${places.join(', ')})`;
    const partitioner = this.#declared === 'auto' && this.settled !== undefined ? `auto, by earlier keys ${this.settled}` : this.#declared;
    return errors.keyElsewhere({ topic: this.topic, partition, offset, key: showBytes(key, 0, key.length), partitioner, expected });
  }
}
