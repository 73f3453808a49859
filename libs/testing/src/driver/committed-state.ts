import {
  ByteWriter,
  type AggregatingStateDescriptor,
  type Codec,
  decodeStoredValue,
  encodeToBuffer,
  keyGroupOf,
  type ListStateDescriptor,
  type MapStateDescriptor,
  type ReducingStateDescriptor,
  stateIdOf,
  type ValueStateDescriptor,
  writeStoredKey,
} from '@weir/core';

/** States that keep one value per key; of an aggregating state it is the accumulator. */
export type OneValueDescriptor<T> = ValueStateDescriptor<T, unknown> | ReducingStateDescriptor<T> | AggregatingStateDescriptor<never, T, unknown>;

/** What a replay of each task's changelog gives: values by their stored key's bytes as latin1. */
export type Changelogs = readonly ReadonlyMap<string, Buffer>[];

/**
 * Committed keyed state, as the changelogs have it. A time to live is not applied: what has expired is shown until it was removed.
 */
export class CommittedState<K> {
  readonly #scratch = new ByteWriter();

  constructor(
    private readonly changelogs: Changelogs,
    private readonly operator: string,
    private readonly keyCodec: Codec<K>,
    private readonly maxParallelism: number,
  ) {}

  value<T>(descriptor: OneValueDescriptor<T>, key: K): T | undefined {
    const name = this.#storedKey(descriptor.name, key);
    const bytes = this.changelogs.map((changelog) => changelog.get(name)).find((found) => found !== undefined);
    return bytes === undefined ? undefined : decodeStoredValue(descriptor.codec, bytes);
  }

  list<T>(descriptor: ListStateDescriptor<T>, key: K): T[] {
    return this.#entries(descriptor.name, key).map(([, value]) => decodeStoredValue(descriptor.codec, value));
  }

  map<UK, UV>(descriptor: MapStateDescriptor<UK, UV>, key: K): [UK, UV][] {
    return this.#entries(descriptor.name, key).map(([subKey, value]) => {
      return [descriptor.keyCodec.decode(subKey, 0, subKey.length), decodeStoredValue(descriptor.codec, value)];
    });
  }

  /** By sub-key, in the order of bytes. */
  #entries(state: string, key: K): [Buffer, Buffer][] {
    const prefix = this.#storedKey(state, key);
    const found = this.changelogs.flatMap((changelog) => [...changelog].filter(([name]) => name.startsWith(prefix)));
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [Buffer.from(name.slice(prefix.length), 'latin1'), value]);
  }

  #storedKey(state: string, key: K): string {
    const bytes = encodeToBuffer(this.keyCodec, key, this.#scratch);
    const stored = new ByteWriter();
    writeStoredKey(stored, keyGroupOf(bytes, 0, bytes.length, this.maxParallelism), stateIdOf(this.operator, state), bytes);
    return stored.copy().toString('latin1');
  }
}
