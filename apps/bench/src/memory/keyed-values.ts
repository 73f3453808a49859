import { float64, type JobDefinition, KeyedFilter, type KeyedContext, type StreamBuilder, topic, utf8, type ValueState, valueState } from '@weir/core';
import { SeededRandom } from '@weir/testing';

/** Makes the next record of a partition. */
export type NextOperation = (partition: number) => number;

/** Bytes of each value. */
export const VALUE_BYTES = 100;
export const INPUT = 'operations';
/** A version is kept in a byte. */
const VERSIONS = 256;

/**
 * One value state with a text of 100 bytes, and records that write it or check what it holds. A record is one number:
 *
 *   (key * 256 + version) * 2 + (1 to write, 0 to check)
 *
 * Key k lies in partition k mod P. A value names its key and its version, so a check finds any value that is another key's, lost or old.
 */
export class KeyedValuesJob implements JobDefinition {
  define(streams: StreamBuilder): void {
    streams
      .source('operations', topic(INPUT, { key: utf8, value: float64 }))
      .keyBy(utf8, (operation) => `key_${Math.floor(operation / VERSIONS / 2)}`, { alreadyPartitioned: { partitioner: partitionOfKey } })
      .filter('values', () => new KeepValue());
  }
}

class KeepValue extends KeyedFilter<string, number> {
  #value!: ValueState<string>;
  #key!: () => string;

  override open(context: KeyedContext<string>): void {
    this.#value = context.state(valueState('value', utf8));
    this.#key = () => context.currentKey();
  }

  override filter(operation: number): boolean {
    const key = this.#key();
    const version = Math.floor(operation / 2) % VERSIONS;
    if (operation % 2 === 1) this.#value.update(valueOf(key, version));
    else if (this.#value.value() !== valueOf(key, version)) throw new Error(`${key} holds ${this.#value.value()}, and its version is ${version}.`);
    return false;
  }
}

const valueOf = (key: string, version: number): string => `${key} in version ${version} `.padEnd(VALUE_BYTES, '.');

function partitionOfKey(key: Uint8Array, start: number, end: number, partitions: number): number {
  let number = 0;
  for (let at = start + 'key_'.length; at < end; at++) number = number * 10 + key[at]! - 0x30;
  return number % partitions;
}

/** Makes the records, and knows the version of each key. */
export class KeyedOperations {
  readonly #versions: Uint8Array;
  readonly #filled: number[];
  readonly #random: readonly SeededRandom[];
  readonly #perPartition: number;

  constructor(
    keys: number,
    private readonly partitions: number,
    seed: number,
  ) {
    this.#versions = new Uint8Array(keys);
    this.#perPartition = keys / partitions;
    this.#filled = new Array<number>(partitions).fill(0);
    this.#random = Array.from({ length: partitions }, (_, partition) => new SeededRandom(seed).fork(partition));
  }

  readonly fill: NextOperation = (partition) => this.#write(this.#filled[partition]!++ * this.partitions + partition);

  readonly update: NextOperation = (partition) => {
    const key = this.#randomKey(partition);
    this.#versions[key] = (this.#versions[key]! + 1) % VERSIONS;
    return this.#write(key);
  };

  readonly check: NextOperation = (partition) => {
    const key = this.#randomKey(partition);
    return (key * VERSIONS + this.#versions[key]!) * 2;
  };

  #randomKey(partition: number): number {
    return this.#random[partition]!.between(0, this.#perPartition - 1) * this.partitions + partition;
  }

  #write(key: number): number {
    return (key * VERSIONS + this.#versions[key]!) * 2 + 1;
  }

  /** Makes the versions what they are after `count` updates in each partition. */
  replayUpdates(count: number): void {
    for (let partition = 0; partition < this.partitions; partition++) for (let i = 0; i < count; i++) this.update(partition);
  }
}
