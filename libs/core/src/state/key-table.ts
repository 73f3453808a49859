import type { Codec } from '../codec/codec.js';
import { errors, problemOf, showBytes } from '../errors/errors.js';
import { ByteWriter } from '../model/byte-writer.js';
import type { Epoch } from '../model/brands.js';
import { keyGroupOf } from '../model/key-group.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import { writeStoredKey } from './stored-key.js';

/**
 * KeyTable: the state of the operators behind one keyBy, as their functions see it. It owns the overlay of the running epoch and the bounded heap
 * cache, which are one thing: a Map from key to the decoded values of that key. It does not own durability: frozen changes are handed
 * out as changelog rows, and the task tells when they are in the store.
 *
 * Life of an entry:
 *
 *   (absent) --resolve--> MISSING --load--> CLEAN <--applied(epoch)-- FROZEN
 *                                             |  ^                      ^
 *                                      update |  | evict (CLEAN only)   | freeze(epoch)
 *                                             v  v                      |
 *                                           DIRTY ----------------------+
 *
 * MISSING: its values are not read yet; every missing entry of a batch is read in one multi-get before the function runs.
 * CLEAN: equal to the store. DIRTY: changed in the running epoch. FROZEN: its last change is in a commit that is under way, so the
 * store does not have it yet. A frozen entry that changes again is dirty too.
 *
 * Invariants:
 *   K1. While an entry is dirty or frozen it is never evicted: the store would give back an older value.
 *   K2. A value is read from the store only when no entry of the key is in the table; so what the table holds is the newest.
 *   K3. `freeze` encodes each changed state of a key once, whatever the number of its updates, and a failed encode loses the epoch
 *       (the task restarts), never a single change.
 *   K4. The number of entries exceeds `limit` only by entries that K1 protects and those of the batch at hand.
 */
export class KeyTable<K = unknown> {
  readonly #entries = new Map<unknown, KeyEntry<K>>();
  readonly #states: TableState[] = [];
  readonly #scratch = new ByteWriter(64);
  #missing: KeyEntry<K>[] = [];
  #dirty: KeyEntry<K>[] = [];
  /** How many entries are dirty or frozen (K1): those that `evict` would look at in vain. */
  #protected = 0;
  #frozen = 0;
  #applied = 0;
  #hand: IterableIterator<KeyEntry<K>> | undefined;
  /** The entry of the record that is processed; undefined between records. */
  current: KeyEntry<K> | undefined;

  constructor(private readonly options: KeyTableOptions<K>) {}

  /** Entries that have changed in the running epoch. */
  get dirtyCount(): number {
    return this.#dirty.length;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a state; its ordinal is its place in every entry's values. */
  declare(state: TableState): number {
    return this.#states.push(state) - 1;
  }

  get stateCount(): number {
    return this.#states.length;
  }

  /**
   * The entry of a key; a new one is missing until `loadMissing`.
   * @throws whatever the key codec throws for a value that is no key
   */
  resolve(key: K): KeyEntry<K> {
    const { codec } = this.options;
    let identity: unknown = key;
    if (codec.identity !== true) {
      this.#encode(key);
      identity = this.#scratch.buffer.latin1Slice(0, this.#scratch.length);
    }
    const found = this.#entries.get(identity);
    if (found !== undefined) {
      found.used = true;
      return found;
    }
    if (codec.identity === true) this.#encode(key);
    return this.#enter(identity, key);
  }

  /** The entry of an encoded key. */
  resolveBytes(bytes: Buffer): KeyEntry<K> {
    return this.resolve(this.options.codec.decode(bytes, 0, bytes.length));
  }

  #encode(key: K): void {
    this.#scratch.clear();
    this.options.codec.encode(key, this.#scratch);
  }

  #enter(identity: unknown, key: K): KeyEntry<K> {
    const bytes = this.#scratch.copy();
    this.options.onNewKey(bytes);
    const keyGroup = keyGroupOf(bytes, 0, bytes.length, this.options.maxParallelism);
    const entry = new KeyEntry(identity, key, bytes, keyGroup, this.#states.length);
    this.#entries.set(identity, entry);
    this.#missing.push(entry);
    return entry;
  }

  /**
   * Reads the values of all missing entries in one multi-get, keys sorted: K2.
   * @throws WeirError `invalid` STATE_UNDECODABLE
   */
  loadMissing(store: StateStore): void {
    const missing = this.#missing;
    if (missing.length === 0) return;
    this.#missing = [];
    const reads = missing.flatMap((entry) => this.#states.map((state, ordinal) => ({ entry, ordinal, key: this.#storedKey(entry, state) })));
    reads.sort((a, b) => Buffer.compare(a.key, b.key));
    const values = store.getMany(reads.map((read) => read.key));
    for (let i = 0; i < reads.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      const { entry, ordinal } = reads[i]!;
      entry.values[ordinal] = this.#decode(this.#states[ordinal]!, value);
    }
  }

  #decode({ codec, name, operator }: TableState, value: Buffer): unknown {
    try {
      return codec.decode(value, 0, value.length);
    } catch (thrown) {
      const facts = { state: name, operator, codec: codec.id, problem: problemOf(thrown), bytes: showBytes(value, 0, value.length) };
      throw errors.stateUndecodable(facts, thrown);
    }
  }

  #storedKey(entry: KeyEntry<K>, state: TableState): Buffer {
    this.#scratch.clear();
    writeStoredKey(this.#scratch, entry.keyGroup, state.stateId, entry.bytes);
    return this.#scratch.copy();
  }

  /** Sets a value of the current entry; undefined clears it. */
  write(entry: KeyEntry<K>, ordinal: number, value: unknown): void {
    entry.values[ordinal] = value;
    if (entry.dirty === 0) {
      this.#dirty.push(entry);
      if (entry.frozenIn <= this.#applied) this.#protected++;
    }
    entry.dirty |= 1 << ordinal;
  }

  /**
   * Ends the running epoch: appends one row per changed state to `changes`, a tombstone where it was cleared. K3.
   * @param timestamp of the rows, in milliseconds since the epoch
   */
  freeze(epoch: Epoch, changes: RecordWriter, timestamp: number): void {
    for (const entry of this.#dirty) {
      for (let ordinal = 0; ordinal < this.#states.length; ordinal++) {
        if ((entry.dirty & (1 << ordinal)) !== 0) this.#writeChange(entry, ordinal, changes, timestamp);
      }
      entry.dirty = 0;
      entry.frozenIn = epoch;
    }
    this.#dirty.length = 0;
    this.#frozen = epoch;
  }

  #writeChange(entry: KeyEntry<K>, ordinal: number, changes: RecordWriter, timestamp: number): void {
    const { stateId, codec, operator, name } = this.#states[ordinal]!;
    changes.begin(timestamp);
    writeStoredKey(changes.bytes, entry.keyGroup, stateId, entry.bytes);
    changes.keyDone();
    const value = entry.values[ordinal];
    if (value !== undefined) {
      try {
        codec.encode(value, changes.bytes);
      } catch (thrown) {
        throw errors.stateUnencodable({ state: name, operator, codec: codec.id, problem: problemOf(thrown) }, thrown);
      }
      changes.valueDone();
    }
    changes.end();
  }

  /** The changes frozen in `epoch` and before are in the store now. */
  applied(epoch: Epoch): void {
    this.#applied = epoch;
    if (epoch >= this.#frozen) this.#protected = this.#dirty.length;
  }

  /**
   * Evicts clean entries until the table is within its limit: K1, K4. Second chance (the clock algorithm, Corbato 1968): an entry used
   * again since the hand last passed it stays once more; one that was only entered does not, so that keys seen once drive out none that
   * are seen often. While all that is too much is protected the hand stands still: looking for what is not there took 10 ms a chunk.
   */
  evict(): void {
    const { size } = this.#entries;
    let surplus = Math.min(size - this.options.limit, size - this.#protected);
    if (surplus <= 0) return;
    for (let steps = this.#entries.size * 2; surplus > 0 && steps > 0; steps--) {
      const entry = this.#nextEntry();
      if (entry === undefined) return;
      if (entry.used) entry.used = false;
      else if (entry.dirty === 0 && entry.frozenIn <= this.#applied) {
        this.#entries.delete(entry.identity);
        surplus--;
      }
    }
  }

  /** A Map's iterator is live: it shows entries added behind it, and skips deleted ones. */
  #nextEntry(): KeyEntry<K> | undefined {
    for (let turn = 0; turn < 2; turn++) {
      this.#hand ??= this.#entries.values();
      const next = this.#hand.next();
      if (next.done !== true) return next.value;
      this.#hand = undefined;
    }
    return undefined;
  }
}

export interface KeyTableOptions<K> {
  readonly codec: Codec<K>;
  readonly maxParallelism: number;
  /** Entries kept at most: see K4. */
  readonly limit: number;
  /** Called with a key's bytes when it enters the table. */
  readonly onNewKey: (bytes: Buffer) => void;
}

/** States per table: one bit each in an entry's `dirty`. */
export const MAX_STATES_PER_TABLE = 30;

/** One state of a table's keys, by the operator that declared it. */
export interface TableState {
  readonly stateId: number;
  readonly operator: string;
  readonly name: string;
  readonly codec: Codec<unknown>;
}

/** The state of one key: plain fields, for they are touched once per record. */
export class KeyEntry<K = unknown> {
  readonly values: unknown[];
  /** Bit per state that changed in the running epoch. */
  dirty = 0;
  /** The last epoch that was frozen with a change of this entry. */
  frozenIn = 0;
  /** Used again since the hand of the clock last passed. */
  used = false;

  constructor(
    readonly identity: unknown,
    readonly key: K,
    readonly bytes: Buffer,
    readonly keyGroup: number,
    states: number,
  ) {
    this.values = new Array<unknown>(states).fill(undefined);
  }
}
