import { errors, showBytes } from '../errors/errors.js';
import { type PartitionFunction, PARTITIONER_NAMES, PARTITIONERS, type PartitionerName } from '../model/partitioner.js';
import type { AlreadyPartitioned } from '../topology/topic.js';

/**
 * Checks that a topic declared `alreadyPartitioned` is: each key, when it enters a table of keys, must lie in the partition where its
 * partitioner puts it. I7 stands on this. Topics of connected streams share their choice, for their keys must lie alike.
 *
 *   auto: CANDIDATES{murmur2, crc32} --keys that only one of them explains--> SETTLED(name)
 *
 * Settled is settled: the choice is recorded with the job's state, and a later start begins with it. With one partition everything
 * fits, and nothing is ever settled.
 */
export class PlacementCheck {
  readonly #declared: AlreadyPartitioned['partitioner'];
  readonly #choice: PartitionerChoice;
  readonly #beside: string | undefined;

  /** @param connected the choice shared with other keyBys, and their names; without it the topic stands alone */
  constructor(
    private readonly topic: string,
    private readonly partitions: number,
    { partitioner }: AlreadyPartitioned,
    connected?: { readonly choice: PartitionerChoice; readonly beside: string },
  ) {
    this.#declared = partitioner;
    this.#choice = connected?.choice ?? new PartitionerChoice([partitioner]);
    this.#beside = connected?.beside;
  }

  /** What `auto` has found; undefined while it has not, and for a function. */
  get settled(): PartitionerName | undefined {
    const [only, ...others] = this.#choice.candidates;
    return others.length === 0 && typeof only === 'string' ? only : undefined;
  }

  /** Takes up what an earlier run settled on, unless the user now says otherwise. */
  adopt(recorded: PartitionerName | undefined): void {
    if (recorded !== undefined && this.#choice.candidates.includes(recorded)) this.#choice.candidates = [recorded];
  }

  /** @throws WeirError `invalid` KEY_ELSEWHERE */
  check(key: Buffer, partition: number, offset: number): void {
    const { candidates } = this.#choice;
    const fitting = candidates.filter((candidate) => this.#place(candidate, key) === partition);
    if (fitting.length === candidates.length) return;
    if (fitting.length === 0) throw this.#elsewhere(key, partition, offset);
    this.#choice.candidates = fitting;
  }

  #place(candidate: PartitionerName | PartitionFunction, key: Buffer): number {
    const place = typeof candidate === 'string' ? PARTITIONERS[candidate] : candidate;
    return place(key, 0, key.length, this.partitions);
  }

  #elsewhere(key: Buffer, partition: number, offset: number): Error {
    const places = PARTITIONER_NAMES.map((name) => `${name} puts it into partition ${this.#place(name, key)}`);
    const fits = PARTITIONER_NAMES.filter((name) => this.#place(name, key) === partition);
    const expected = fits.length > 0 ? `${fits.join(' and ')} would put it` : `no known partitioner would put it (${places.join(', ')})`;
    return errors.keyElsewhere({ topic: this.topic, partition, offset, key: showBytes(key, 0, key.length), partitioner: this.#shown(), expected });
  }

  #shown(): string {
    if (this.#declared !== 'auto') return typeof this.#declared === 'function' ? 'a function of yours' : this.#declared;
    if (this.settled === undefined) return 'auto';
    return this.#beside === undefined ? `auto, by earlier keys ${this.settled}` : `auto, by earlier keys and what it is connected with, ${this.#beside}, ${this.settled}`;
  }
}

/** The partitioners that may still be the one that placed the keys. */
export class PartitionerChoice {
  candidates: readonly (PartitionerName | PartitionFunction)[];

  /** @param declared of keyBys whose keys lie alike; all that are not `auto` are the same (topology/graph-checks.ts) */
  constructor(declared: readonly AlreadyPartitioned['partitioner'][]) {
    const known = declared.find((partitioner) => partitioner !== 'auto');
    this.candidates = known === undefined ? PARTITIONER_NAMES : [known];
  }
}
