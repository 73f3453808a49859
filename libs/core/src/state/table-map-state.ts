import type { Codec } from '../codec/codec.js';
import { ByteWriter } from '../model/byte-writer.js';
import type { KeyedCollection } from './keyed-collection.js';
import type { MapState } from './map-state.js';

/** A map whose entries have their encoded user keys for sub-keys. */
export class TableMapState<UK, UV> implements MapState<UK, UV> {
  readonly #scratch = new ByteWriter(64);

  constructor(
    private readonly collection: KeyedCollection,
    private readonly keyCodec: Codec<UK>,
  ) {}

  #subKey(key: UK): string {
    this.#scratch.clear();
    this.keyCodec.encode(key, this.#scratch);
    return this.#scratch.buffer.latin1Slice(0, this.#scratch.length);
  }

  #userKey(subKey: string): UK {
    const bytes = Buffer.from(subKey, 'latin1');
    return this.keyCodec.decode(bytes, 0, bytes.length);
  }

  get(key: UK): UV | undefined {
    return this.collection.get(this.#subKey(key)) as UV | undefined;
  }

  put(key: UK, value: UV): void {
    this.collection.set(this.#subKey(key), value);
  }

  putAll(entries: Iterable<readonly [UK, UV]>): void {
    for (const [key, value] of entries) this.put(key, value);
  }

  has(key: UK): boolean {
    return this.collection.get(this.#subKey(key)) !== undefined;
  }

  remove(key: UK): void {
    this.collection.remove(this.#subKey(key));
  }

  entries(): IterableIterator<[UK, UV]> {
    return mapped(this.collection.entries(), ({ subKey, value }) => [this.#userKey(subKey), value as UV]);
  }

  keys(): IterableIterator<UK> {
    return mapped(this.collection.entries(), ({ subKey }) => this.#userKey(subKey));
  }

  values(): IterableIterator<UV> {
    return mapped(this.collection.entries(), ({ value }) => value as UV);
  }

  isEmpty(): boolean {
    for (const _ of this.collection.entries()) return false;
    return true;
  }

  clear(): void {
    this.collection.clear();
  }
}

function* mapped<A, B>(from: Iterable<A>, map: (one: A) => B): IterableIterator<B> {
  for (const one of from) yield map(one);
}
