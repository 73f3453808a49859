import type { RecordColumns, StateEntry, StateStore, StorePosition } from '@weir/core';
import { NULL } from '@weir/core';
import { errors, type StoreAct } from '../errors.js';
import { checkPosition } from '../store-position.js';
import { OrderedIndex } from './ordered-index.js';

/**
 * A StateStore on the heap.
 *
 * Owns: its entries and its position, until `close`; then both are gone, and the next open of the scope starts empty and recovers
 * from the changelog.
 *
 * Keys and values are kept as strings of one byte per character. They are immutable, so nothing that goes in or out has to be guarded
 * against a caller who changes his buffer; V8 compares and hashes them natively; and a small one keeps no slab of Buffer's
 * pool alive.
 *
 * Invariants:
 * - M1. `apply` checks the whole batch before it changes anything: all of it is there, or nothing (S1).
 * - M2. A batch and its position change in one synchronous step (S2, S3).
 */
export class MemoryStore implements StateStore {
  readonly #name: string;
  readonly #released: () => void;
  #entries: Map<string, string> | undefined = new Map();
  #order = new OrderedIndex();
  #position: StorePosition | undefined;
  #bytes = 0;

  /** @param released called once, when the store was closed */
  constructor(name: string, released: () => void) {
    this.#name = name;
    this.#released = released;
  }

  get position(): StorePosition | undefined {
    return this.#position;
  }

  get(key: Uint8Array): Buffer | undefined {
    return bytesOf(this.#open('reading').get(textOf(key)));
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    const entries = this.#open('reading');
    const values = new Array<Buffer | undefined>(keys.length);
    for (let i = 0; i < keys.length; i++) values[i] = bytesOf(entries.get(textOf(keys[i]!)));
    return values;
  }

  scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    return this.#asEntries(this.#order.snapshot(this.#open('scanning'), textOf(prefix)));
  }

  *#asEntries(snapshot: IterableIterator<[string, string]>): IterableIterator<StateEntry> {
    for (const [key, value] of snapshot) {
      this.#open('scanning');
      yield { key: Buffer.from(key, 'latin1'), value: Buffer.from(value, 'latin1') };
    }
  }

  /** Every entry once, as text of one byte per character. Entries may be set and deleted meanwhile; whether that is seen is left open. */
  entries(): IterableIterator<[string, string]> {
    return this.#open('scanning').entries();
  }

  async apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    const entries = this.#open('writing');
    const { count, buffer, keyStart, keyEnd, valueStart, valueEnd } = changes;
    checkPosition(this.#name, this.#position, position);
    for (let i = 0; i < count; i++) if (keyStart[i] === NULL) throw errors.keyMissing({ path: this.#name, row: i });

    for (let i = 0; i < count; i++) {
      const key = buffer.latin1Slice(keyStart[i]!, keyEnd[i]!);
      const old = entries.get(key);
      if (old !== undefined) this.#bytes -= key.length + old.length;
      if (valueStart[i] === NULL) {
        entries.delete(key);
      } else {
        const value = buffer.latin1Slice(valueStart[i]!, valueEnd[i]!);
        entries.set(key, value);
        this.#bytes += key.length + value.length;
      }
      this.#order.touched(key);
    }
    this.#position = { ...position };
  }

  approximateSize(): number {
    return this.#bytes;
  }

  async close(): Promise<void> {
    if (this.#entries === undefined) return;
    this.#entries = undefined;
    this.#order = new OrderedIndex();
    this.#bytes = 0;
    this.#released();
  }

  #open(act: StoreAct): Map<string, string> {
    if (this.#entries === undefined) throw errors.closed({ act, path: this.#name });
    return this.#entries;
  }
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const textOf = (bytes: Uint8Array): string => bufferOf(bytes).latin1Slice(0, bytes.length);
const bytesOf = (text: string | undefined): Buffer | undefined => (text === undefined ? undefined : Buffer.from(text, 'latin1'));
