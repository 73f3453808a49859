/**
 * SortedEntries: the entries of one store, in the order of their keys' bytes, with snapshots that cost nothing to take.
 *
 * A two-level tree: a list of chunks, each an ordered run of entries. A snapshot keeps the list as it is and begins an era; what a later
 * write touches of an older era is copied first, once an era: one chunk, and the list. So a scan costs what it reads, and a
 * write after it a chunk, however much the store holds.
 *
 * Keys are bytes as latin1 text, one character a byte: JavaScript then compares and keeps them natively, and their order is that of
 * unsigned bytes (S4).
 *
 * Invariants:
 * - E1. Keys rise strictly within a chunk and from chunk to chunk; no chunk is empty.
 * - E2. A list or chunk of an era before the present one is never written to: a snapshot may hold it.
 */
export class SortedEntries {
  #chunks: Chunk[] = [];
  /** When `#chunks` was made. */
  #listEra = 0;
  #era = 0;
  #byteLength = 0;

  /** Bytes of all keys and values. */
  get byteLength(): number {
    return this.#byteLength;
  }

  get(key: string): Buffer | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const at = placeIn(chunk.keys, key);
    return chunk.keys[at] === key ? chunk.values[at] : undefined;
  }

  /** @param value kept as it is: nobody may write to it any more */
  set(key: string, value: Buffer): void {
    const index = this.#chunkOf(key);
    const { keys, values } = this.#writable(index);
    const at = placeIn(keys, key);
    if (keys[at] === key) {
      this.#byteLength += value.length - values[at]!.length;
      values[at] = value;
      return;
    }
    keys.splice(at, 0, key);
    values.splice(at, 0, value);
    this.#byteLength += key.length + value.length;
    if (keys.length > CHUNK_LIMIT) this.#cut(index);
  }

  delete(key: string): void {
    const old = this.get(key);
    if (old === undefined) return;
    const index = this.#chunkOf(key);
    const { keys, values } = this.#writable(index);
    const at = placeIn(keys, key);
    keys.splice(at, 1);
    values.splice(at, 1);
    this.#byteLength -= key.length + old.length;
    if (keys.length === 0) this.#chunks.splice(index, 1);
  }

  /** Entries whose key begins with `prefix`, as they are now, read lazily: later writes do not show. */
  snapshot(prefix = ''): IterableIterator<[key: string, value: Buffer]> {
    this.#era++;
    return withPrefix(this.#chunks, this.#chunkOf(prefix), prefix);
  }

  /** Index of the last chunk that begins at or before `key`: the one that has it, if any has. 0 if none begins so early. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#chunks[middle]!.keys[0]! <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** The chunk, or the first one where there is none yet; with the list, it is of the present era (E2). */
  #writable(index: number): Chunk {
    if (this.#listEra < this.#era) {
      this.#chunks = [...this.#chunks];
      this.#listEra = this.#era;
    }
    const found = this.#chunks[index] ?? { era: this.#era, keys: [], values: [] };
    const chunk = found.era === this.#era ? found : { era: this.#era, keys: [...found.keys], values: [...found.values] };
    this.#chunks[index] = chunk;
    return chunk;
  }

  /** Cuts a writable chunk in two. */
  #cut(index: number): void {
    const { era, keys, values } = this.#chunks[index]!;
    const middle = keys.length >>> 1;
    this.#chunks.splice(index + 1, 0, { era, keys: keys.splice(middle), values: values.splice(middle) });
  }
}

interface Chunk {
  /** When it was made. */
  readonly era: number;
  readonly keys: string[];
  readonly values: Buffer[];
}

/** Most entries of a chunk: what a write after a snapshot copies. */
const CHUNK_LIMIT = 256;

/** Index of `key` in `keys`, or where it belongs. */
function placeIn(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param first index of the first chunk that can hold such keys */
function* withPrefix(chunks: readonly Chunk[], first: number, prefix: string): IterableIterator<[string, Buffer]> {
  for (let index = first; index < chunks.length; index++) {
    const { keys, values } = chunks[index]!;
    for (let at = index === first ? placeIn(keys, prefix) : 0; at < keys.length; at++) {
      if (!keys[at]!.startsWith(prefix)) return;
      yield [keys[at]!, values[at]!];
    }
  }
}
