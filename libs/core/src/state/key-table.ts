import type { Codec } from '../codec/codec.js';
import { errors } from '../errors/errors.js';
import { ByteWriter } from '../model/byte-writer.js';
import type { Epoch } from '../model/brands.js';
import { keyGroupOf } from '../model/key-group.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import type { CacheShare } from './cache-budget.js';
import { CollectionCell, REMOVED } from './collection-cell.js';
import { ExpirySweep } from './expiry-sweep.js';
import { Sequence } from './sequence.js';
import { writeStoredKey, writeSubKey } from './stored-key.js';
import { inStoredOrder } from './stored-order.js';
import { decodeStateValue, encodeStateValue, type TableState, Timed } from './table-state.js';

/**
 * KeyTable: the state of the operators behind one keyBy, or behind several that are connected, as their functions see it. It owns the overlay of the running epoch and the bounded heap
 * cache, which are one thing: a Map from key to the decoded values of that key. It does not own durability: frozen changes are handed
 * out as changelog rows, and the task tells when they are in the store.
 *
 * Of a value, reducing or aggregating state an entry holds the value. Of a list or a map it holds a CollectionCell, which has layers of its
 * own (collection-cell.ts), for a collection is never read whole; what follows holds for it as for a value.
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
 *   K4. The number of entries exceeds `limit`, and what they take on the heap the table's share of the budget, only by entries that K1 protects and those of the batch at hand. So does the number of map
 *       entries cached in all cells, which is never above twice the limit.
 *   K5. A collection has changes of one frozen epoch at most: `freeze` follows `applied` of the freeze before.
 */
export class KeyTable<K = unknown> {
  readonly #entries = new Map<unknown, KeyEntry<K>>();
  readonly #states: TableState[] = [];
  /** Ordinals of those that are read when a key enters the table, by state id. */
  readonly #read: number[] = [];
  readonly #scratch = new ByteWriter(64);
  #missing: KeyEntry<K>[] = [];
  #dirty: KeyEntry<K>[] = [];
  #frozenCells: CollectionCell[] = [];
  #sweep: ExpirySweep | undefined;
  #store: StateStore | undefined;
  #pending = 0;
  #cached = 0;
  /** Estimated bytes of all entries. */
  #weight = 0;
  #latest = 0;
  /** How many entries are dirty or frozen (K1): those that `evict` would look at in vain. */
  #protected = 0;
  #frozen = 0;
  #applied = 0;
  #hand: IterableIterator<KeyEntry<K>> | undefined;
  /** Entries that the hand has yet to pass on its lap. */
  #lap = 0;
  /** The entry of the record that is processed; undefined between records. */
  current: KeyEntry<K> | undefined;
  /** Counts freezes and applications: between two of them what a running iteration reads does not change under it. */
  generation = 0;
  /** Shared by all tables of the task. */
  readonly sequence: Sequence;

  constructor(private readonly options: KeyTableOptions<K>) {
    this.sequence = options.sequence ?? new Sequence();
  }

  /** Wall-clock time in milliseconds, which never runs backwards: what has expired once does not come back. */
  now(): number {
    return (this.#latest = Math.max(this.#latest, this.options.wallTime?.() ?? 0));
  }

  /** What the committed state is read from. @throws WeirError `internal` before the first batch, when nobody has a key to read */
  get store(): StateStore {
    if (this.#store === undefined) throw errors.invariantBroken({ invariant: 'K2', facts: 'state is read before the first batch' });
    return this.#store;
  }

  /** Changes of the running epoch: values, and entries of collections. Each is a row of the next commit; a clear counts as one. */
  get pendingChanges(): number {
    return this.#pending;
  }

  /** Entries of maps that are cached. */
  get cachedEntries(): number {
    return this.#cached;
  }

  /** Entries that have changed in the running epoch. */
  get dirtyCount(): number {
    return this.#dirty.length;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes that the entries take on the heap, by estimate. */
  get weight(): number {
    return this.#weight;
  }

  /** Entries of the present mean size that the table's share of the budget holds. */
  get affordable(): number {
    const { share } = this.options;
    return share === undefined || this.#weight === 0 ? Infinity : Math.floor((share.bytes() * this.#entries.size) / this.#weight);
  }

  /** Adds a state; its ordinal is its place in every entry's values. */
  declare(state: TableState): number {
    if (state.ttl !== undefined) {
      this.#sweep ??= new ExpirySweep(this, this.options.maxParallelism);
      this.#sweep.watch(state, this.#states.length);
    }
    const ordinal = this.#states.push(state) - 1;
    if (state.isCollection !== true) this.#read.push(ordinal);
    this.#read.sort((a, b) => this.#states[a]!.stateId - this.#states[b]!.stateId);
    return ordinal;
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

  /** The entry of a key by its bytes, if the table has one. */
  #peek(bytes: Buffer): KeyEntry<K> | undefined {
    const { codec } = this.options;
    return this.#entries.get(codec.identity === true ? codec.decode(bytes, 0, bytes.length) : bytes.latin1Slice(0, bytes.length));
  }

  #encode(key: K): void {
    this.#scratch.clear();
    this.options.codec.encode(key, this.#scratch);
  }

  #enter(identity: unknown, key: K): KeyEntry<K> {
    const bytes = this.#scratch.copy();
    const keyGroup = keyGroupOf(bytes, 0, bytes.length, this.options.maxParallelism);
    const entry = new KeyEntry(identity, key, bytes, keyGroup, this.#states.length);
    this.#entries.set(identity, entry);
    this.#weight += entry.weight;
    this.#missing.push(entry);
    return entry;
  }

  /**
   * Reads the values of all missing entries in one multi-get, keys sorted: K2.
   * @throws WeirError `invalid` STATE_UNDECODABLE
   */
  loadMissing(store: StateStore): void {
    this.#store = store;
    const missing = this.#missing;
    if (missing.length === 0) return;
    this.#missing = [];
    const reads = this.#readsOf(inStoredOrder(missing));
    if (reads.length === 0) return;
    const values = store.getMany(reads.map(({ key }) => key));
    for (let i = 0; i < reads.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      const { entry, ordinal } = reads[i]!;
      this.#weigh(entry, entry.valueBytes + value.length);
      this.#load(entry, ordinal, decodeStateValue(this.#states[ordinal]!, value));
    }
  }

  /** Stored keys sort by key group, then by state. @param missing sorted */
  #readsOf(missing: readonly KeyEntry<K>[]): StoredRead<K>[] {
    const reads: StoredRead<K>[] = [];
    for (let from = 0, to = 0; from < missing.length; from = to) {
      const { keyGroup } = missing[from]!;
      while (missing[to]?.keyGroup === keyGroup) to++;
      for (const ordinal of this.#read) {
        for (let i = from; i < to; i++) reads.push({ entry: missing[i]!, ordinal, key: this.storedKey(missing[i]!, this.#states[ordinal]!) });
      }
    }
    return reads;
  }

  /** A value from a time without TTL counts as written now, and is written with that time, or it would be new at every restart. */
  #load(entry: KeyEntry<K>, ordinal: number, value: unknown): void {
    if (value instanceof Timed && Number.isNaN(value.at)) this.write(entry, ordinal, new Timed(value.value, this.now()));
    else entry.values[ordinal] = value;
  }

  /** The stored key of an entry's state, and of one of its sub-keys. */
  storedKey(entry: KeyEntry<K>, state: TableState, subKey = ''): Buffer {
    this.#scratch.clear();
    writeStoredKey(this.#scratch, entry.keyGroup, state.stateId, entry.bytes);
    writeSubKey(this.#scratch, subKey);
    return this.#scratch.copy();
  }

  /** Sets a value of the current entry; undefined clears it. */
  write(entry: KeyEntry<K>, ordinal: number, value: unknown): void {
    entry.values[ordinal] = value;
    if ((entry.dirty & (1 << ordinal)) === 0) this.#pending++;
    this.#markDirty(entry, ordinal);
  }

  #markDirty(entry: KeyEntry<K>, ordinal: number): void {
    if (entry.dirty === 0) {
      this.#dirty.push(entry);
      if (entry.frozenIn <= this.#applied) this.#protected++;
    }
    entry.dirty |= 1 << ordinal;
  }

  // ---- lists and maps ----

  /** The cell of an entry's collection. */
  cell(entry: KeyEntry<K>, ordinal: number): CollectionCell {
    return (entry.values[ordinal] ??= new CollectionCell()) as CollectionCell;
  }

  /** Sets an entry of a collection; REMOVED removes it. */
  writeInto(entry: KeyEntry<K>, ordinal: number, subKey: string, value: unknown): void {
    const cell = this.cell(entry, ordinal);
    const before = cell.running.size;
    if (value === REMOVED && cell.cleared) cell.running.delete(subKey); // C3
    else cell.running.set(subKey, value);
    this.#pending += cell.running.size - before;
    this.#markDirty(entry, ordinal);
  }

  clearCollection(entry: KeyEntry<K>, ordinal: number): void {
    const cell = this.cell(entry, ordinal);
    this.#pending -= cell.running.size - (cell.cleared ? 0 : 1);
    this.#cached -= cell.clear();
    this.#markDirty(entry, ordinal);
  }

  /** Caches what the store holds of a map's entry, REMOVED for nothing: C2, K4. */
  remember(cell: CollectionCell, subKey: string, value: unknown): void {
    const { cache } = cell;
    if (cache.size >= MAX_CACHED_PER_MAP || this.#cached >= 2 * this.options.limit) {
      const oldest = cache.keys().next();
      if (oldest.done === true) return;
      cache.delete(oldest.value);
      this.#cached--;
    }
    cache.set(subKey, value);
    this.#cached++;
  }

  // ---- the end of an epoch ----

  /**
   * Ends the running epoch: appends one row per change to `changes`, a tombstone where it was cleared or has expired. K3.
   * @param timestamp of the rows, in milliseconds since the epoch
   */
  freeze(epoch: Epoch, changes: RecordWriter, timestamp: number): void {
    if (this.#frozenCells.length > 0) throw errors.invariantBroken({ invariant: 'K5', facts: `epoch ${epoch} is frozen before ${this.#frozen} was applied` });
    // Before the changes, for it must see which entries have any: none of them is swept.
    if (this.#store !== undefined) this.#sweep?.run(this.#store, this.now(), this.#pending, changes, timestamp);
    for (const entry of this.#dirty) {
      const before = changes.bytes.length;
      for (let ordinal = 0; ordinal < this.#states.length; ordinal++) {
        if ((entry.dirty & (1 << ordinal)) === 0) continue;
        if (this.#states[ordinal]!.isCollection === true) this.#freezeCell(entry, ordinal, changes, timestamp);
        else this.#writeChange(entry, ordinal, changes, timestamp);
      }
      const written = changes.bytes.length - before;
      // Of several states some may not be among the changes.
      this.#weigh(entry, this.#states.length === 1 ? written : Math.max(entry.valueBytes, written));
      entry.dirty = 0;
      entry.frozenIn = epoch;
    }
    this.#dirty.length = 0;
    this.#pending = 0;
    this.#frozen = epoch;
    this.generation++;
  }

  #weigh(entry: KeyEntry<K>, valueBytes: number): void {
    this.#weight -= entry.weight;
    entry.valueBytes = valueBytes;
    this.#weight += entry.weight;
  }

  /** Nothing is frozen at this point (K5), so what a clear has to remove is what the store has. */
  #freezeCell(entry: KeyEntry<K>, ordinal: number, changes: RecordWriter, timestamp: number): void {
    const state = this.#states[ordinal]!;
    const cell = this.cell(entry, ordinal);
    const prefix = this.storedKey(entry, state);
    if (cell.cleared) {
      for (const { key } of this.store.scan(prefix)) {
        if (!cell.running.has(key.latin1Slice(prefix.length, key.length))) changes.add(timestamp, key, null);
      }
    }
    for (const [subKey, value] of cell.running) {
      changes.begin(timestamp);
      changes.bytes.writeBytes(prefix);
      writeSubKey(changes.bytes, subKey);
      changes.keyDone();
      if (value !== REMOVED) {
        encodeStateValue(state, value, changes.bytes);
        changes.valueDone();
      }
      changes.end();
    }
    cell.freeze();
    this.#frozenCells.push(cell);
  }

  #writeChange(entry: KeyEntry<K>, ordinal: number, changes: RecordWriter, timestamp: number): void {
    const state = this.#states[ordinal]!;
    changes.begin(timestamp);
    writeStoredKey(changes.bytes, entry.keyGroup, state.stateId, entry.bytes);
    changes.keyDone();
    const value = entry.values[ordinal];
    if (value !== undefined) {
      encodeStateValue(state, value, changes.bytes);
      changes.valueDone();
    }
    changes.end();
  }

  /** The changes frozen in `epoch` and before are in the store now. */
  applied(epoch: Epoch): void {
    this.#applied = epoch;
    this.generation++;
    if (epoch < this.#frozen) return;
    this.#protected = this.#dirty.length;
    for (const cell of this.#frozenCells) cell.applied();
    this.#frozenCells = [];
  }

  /** Whether the state of a key, or one entry of its collection, has changed in the running epoch. */
  hasChanged(keyBytes: Buffer, ordinal: number, subKey: string): boolean {
    const entry = this.#peek(keyBytes);
    if (entry === undefined || (entry.dirty & (1 << ordinal)) === 0) return false;
    if (this.#states[ordinal]!.isCollection !== true) return true;
    const cell = this.cell(entry, ordinal);
    return cell.cleared || cell.running.has(subKey);
  }

  /**
   * Evicts clean entries until the table is within its limit: K1, K4. Second chance (the clock algorithm, Corbato 1968): an entry used
   * again since the hand last passed it stays once more; one that was only entered does not, so that keys seen once drive out none that
   * are seen often. While all that is too much is protected the hand stands still: looking for what is not there took 10 ms a chunk.
   * What cells have cached goes with them, and goes alone where it is too much; that of a protected entry too, for the store has it (C2).
   */
  evict(): void {
    const { limit } = this.options;
    let surplus = Math.min(this.#entries.size - Math.min(limit, this.affordable), this.#entries.size - this.#protected);
    // Half, so that not every batch has to look again.
    const enough = this.#cached > limit ? limit >> 1 : Infinity;
    for (let steps = this.#entries.size * 2; (surplus > 0 || this.#cached > enough) && steps > 0; steps--) {
      const entry = this.#nextEntry();
      if (entry === undefined) return;
      if (entry.used) {
        entry.used = false;
        continue;
      }
      const evictable = surplus > 0 && entry.dirty === 0 && entry.frozenIn <= this.#applied;
      if (this.#cached > (evictable ? 0 : enough)) this.#dropCaches(entry);
      if (evictable) {
        this.#entries.delete(entry.identity);
        this.#weight -= entry.weight;
        surplus--;
      }
    }
  }

  #dropCaches(entry: KeyEntry<K>): void {
    for (const value of entry.values) if (value instanceof CollectionCell) this.#cached -= value.dropCache();
  }

  /**
   * A Map's iterator is live: it skips deleted entries, and would go on to those added during its lap. It must not: the hand would follow the
   * tail for ever, drop each new key at once, and never come back to the old ones that nobody uses.
   */
  #nextEntry(): KeyEntry<K> | undefined {
    if (this.#lap <= 0) this.#hand = undefined;
    if (this.#hand === undefined) {
      this.#hand = this.#entries.values();
      this.#lap = this.#entries.size;
    }
    this.#lap--;
    const next = this.#hand.next();
    return next.done === true ? undefined : next.value;
  }
}

/** One key of a multi-get, and whose value it gives. */
interface StoredRead<K> {
  readonly entry: KeyEntry<K>;
  readonly ordinal: number;
  readonly key: Buffer;
}

export interface KeyTableOptions<K> {
  readonly codec: Codec<K>;
  readonly maxParallelism: number;
  /** Entries kept at most: see K4. */
  readonly limit: number;
  /** Of the budget of heap; without one the number of entries alone is limited. */
  readonly share?: CacheShare;
  /** Milliseconds since the epoch; needed where a state has a TTL. */
  readonly wallTime?: () => number;
  /** That of the task, if it has several tables. */
  readonly sequence?: Sequence;
}

/** Entries of one map that are cached. */
const MAX_CACHED_PER_MAP = 1_024;

/** What an entry takes beside its key and its values, and what these take for each encoded byte: as measured with 100-byte values. */
const ENTRY_BYTES = 350;
const HEAP_PER_BYTE = 2;

/** States per table: one bit each in an entry's `dirty`. */
export const MAX_STATES_PER_TABLE = 30;

/** The state of one key: plain fields, for they are touched once per record. */
export class KeyEntry<K = unknown> {
  readonly values: unknown[];
  /** Bit per state that changed in the running epoch. */
  dirty = 0;
  /** The last epoch that was frozen with a change of this entry. */
  frozenIn = 0;
  /** Used again since the hand of the clock last passed. */
  used = false;
  /** Of its values as they were last encoded or decoded, together. */
  valueBytes = 0;
  /** Bit per keyBy of the table that has checked where the key lies. */
  placed = 0;

  constructor(
    readonly identity: unknown,
    readonly key: K,
    readonly bytes: Buffer,
    readonly keyGroup: number,
    states: number,
  ) {
    this.values = new Array<unknown>(states).fill(undefined);
  }

  /** Estimated bytes on the heap. */
  get weight(): number {
    return ENTRY_BYTES + HEAP_PER_BYTE * (this.bytes.length + this.valueBytes);
  }
}
