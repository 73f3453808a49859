import type { Codec } from '../codec/codec.js';
import { errors, problemOf, showBytes } from '../errors/errors.js';
import { ByteWriter } from '../model/byte-writer.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import { type StateDeclaration, twiceAs } from './state-catalogue.js';
import { stateIdOf, writeOperatorKey } from './stored-key.js';

/**
 * Operator state, Flink's: state of an operator's task, not of a key. Kept whole on the heap, for it is small: what a source remembers, a
 * buffer, a table of rules. Changes are written entry by entry with the epoch's other changes, and read back when the task starts.
 *
 * The kinds differ in what becomes of them when the number of tasks changes: elements of a list are dealt out, of a union list everyone
 * gets all, and broadcast state is the same everywhere to begin with.
 */
export interface OperatorListState<T> {
  /** The elements, in the order in which they were added. A copy. */
  get(): T[];
  add(value: T): void;
  /** Replaces all elements. */
  update(values: readonly T[]): void;
  clear(): void;
}

/** What the keyed side of a broadcast may do with the state. */
export interface ReadOnlyBroadcastState<K, V> {
  get(key: K): V | undefined;
  has(key: K): boolean;
  /** In the order of the keys' bytes. */
  entries(): IterableIterator<[K, V]>;
}

/** A map that every task holds alike, for every task reads all of the broadcast. Only the broadcast side may write it. */
export interface BroadcastState<K, V> extends ReadOnlyBroadcastState<K, V> {
  /** @throws WeirError `invalid` BROADCAST_STATE_READ_ONLY while a keyed record is processed: tasks would no longer hold the same */
  put(key: K, value: V): void;
  /** @throws WeirError `invalid` BROADCAST_STATE_READ_ONLY */
  remove(key: K): void;
  /** @throws WeirError `invalid` BROADCAST_STATE_READ_ONLY */
  clear(): void;
}

/** Declares a list whose elements are dealt out over the tasks when their number changes. */
export interface OperatorListDescriptor<T> {
  readonly kind: 'operator-list' | 'operator-union-list';
  readonly name: string;
  readonly codec: Codec<T>;
}

export interface BroadcastStateDescriptor<K, V> {
  readonly kind: 'broadcast';
  readonly name: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
}

/** Operator list state: elements are split over the tasks when their number changes. */
export const operatorListState = <T>(name: string, codec: Codec<T>): OperatorListDescriptor<T> => ({ kind: 'operator-list', name, codec });
/** Operator list state of which every task gets all elements when their number changes. */
export const unionListState = <T>(name: string, codec: Codec<T>): OperatorListDescriptor<T> => ({ kind: 'operator-union-list', name, codec });
/** The state of a broadcast. */
export const broadcastState = <K, V>(name: string, key: Codec<K>, value: Codec<V>): BroadcastStateDescriptor<K, V> => ({ kind: 'broadcast', name, key, value });

/**
 * The operator states of one operator: declared in `open`, loaded before the first record, written at each freeze.
 *
 *   DECLARING --seal--> SEALED --load--> LOADED: only now they may be used
 *
 * Entries are raw: a map from the entry's key (four bytes of index for lists, the encoded key for broadcast state, as latin1) to the decoded
 * value. `#changed` names those that the running epoch touched.
 */
export class OperatorStates {
  readonly #tables: EntryTable[] = [];
  readonly #declared = new Map<string, StateDeclaration>();
  readonly #codecs: Codec<unknown>[] = [];
  #sealed = false;
  #loaded = false;
  /** Whether the broadcast side runs: only then broadcast state may be written. */
  broadcastSide = false;

  /** @param takenIds ids of all states of the task, shared by its operators */
  constructor(
    private readonly operator: string,
    private readonly takenIds: Map<number, string>,
  ) {}

  get declarations(): ReadonlyMap<string, StateDeclaration> {
    return this.#declared;
  }

  /** Those of all states that were declared. */
  get codecs(): readonly Codec<unknown>[] {
    return this.#codecs;
  }

  seal(): void {
    this.#sealed = true;
  }

  get changes(): number {
    return this.#tables.reduce((sum, table) => sum + table.changed.size, 0);
  }

  list<T>(descriptor: OperatorListDescriptor<T>): OperatorListState<T> {
    const table = this.#declare(descriptor, descriptor.codec.id, descriptor.codec);
    return new TableListState<T>(table, () => this.#mustBeLoaded(descriptor.name));
  }

  broadcast<K, V>(descriptor: BroadcastStateDescriptor<K, V>): BroadcastState<K, V> {
    const { key, value } = descriptor;
    this.#codecs.push(key);
    const table = this.#declare(descriptor, `${key.version === 1 ? key.id : `${key.id}@${key.version}`} -> ${value.id}`, value);
    const mustBeWritable = (): void => {
      if (!this.broadcastSide) throw errors.broadcastStateReadOnly({ state: descriptor.name, operator: this.operator });
    };
    return new TableBroadcastState<K, V>(table, key, () => this.#mustBeLoaded(descriptor.name), mustBeWritable);
  }

  /** What is read before would be nothing, and what is written would be overwritten. */
  #mustBeLoaded(state: string): void {
    if (!this.#loaded) throw this.#refuse(state, 'it is used before it was loaded', 'Use it in initializeState, or later; open only declares it.');
  }

  #declare({ kind, name }: { readonly kind: StateDeclaration['kind']; readonly name: string }, codecId: string, codec: Codec<unknown>): EntryTable {
    const id = stateIdOf(this.operator, name);
    const other = this.takenIds.get(id);
    const before = this.#declared.get(name);
    if (this.#sealed) throw this.#refuse(name, 'it is registered after open', 'Register every state in open.');
    if (before !== undefined) throw this.#refuse(name, twiceAs(before.kind, kind), 'Register it once, in open, and keep the handle in a field.');
    if (other === wordsFor(name, this.operator)) throw this.#refuse(name, 'it is registered as keyed state, too', 'Give each state of an operator a name of its own.');
    if (other !== undefined) throw this.#refuse(name, `its id ${id} is that of ${other}`, 'Rename one of the two.');
    this.takenIds.set(id, wordsFor(name, this.operator));
    this.#declared.set(name, { kind, codec: codecId, version: codec.version, id });
    const table: EntryTable = { id, name, codec, entries: new Map(), changed: new Set() };
    this.#tables.push(table);
    this.#codecs.push(codec);
    return table;
  }

  #refuse(state: string, problem: string, advice: string): Error {
    return errors.stateRegistration({ state, operator: this.operator, problem, advice });
  }

  /** Reads what the store has. Before the first record. */
  load(store: StateStore): void {
    const prefix = new ByteWriter();
    for (const table of this.#tables) {
      prefix.clear();
      writeOperatorKey(prefix, table.id);
      const start = prefix.copy();
      for (const { key, value } of store.scan(start)) {
        table.entries.set(key.latin1Slice(start.length, key.length), this.#decode(table, value));
      }
    }
    this.#loaded = true;
  }

  #decode({ name: state, codec }: EntryTable, value: Buffer): unknown {
    try {
      return codec.decode(value, 0, value.length);
    } catch (thrown) {
      const { operator } = this;
      throw errors.stateUndecodable({ state, operator, codec: codec.id, problem: problemOf(thrown), bytes: showBytes(value, 0, value.length) }, thrown);
    }
  }

  /** Writes the changes of the running epoch. @param timestamp of the rows, in milliseconds since the epoch */
  freeze(changes: RecordWriter, timestamp: number): void {
    for (const table of this.#tables) {
      for (const name of table.changed) this.#write(table, name, changes, timestamp);
      table.changed.clear();
    }
  }

  #write({ id, name: state, codec, entries }: EntryTable, name: string, changes: RecordWriter, timestamp: number): void {
    changes.begin(timestamp);
    writeOperatorKey(changes.bytes, id);
    changes.bytes.writeBytes(Buffer.from(name, 'latin1'));
    changes.keyDone();
    if (entries.has(name)) {
      try {
        codec.encode(entries.get(name), changes.bytes);
      } catch (thrown) {
        throw errors.stateUnencodable({ state, operator: this.operator, codec: codec.id, problem: problemOf(thrown) }, thrown);
      }
      changes.valueDone();
    }
    changes.end();
  }
}

/** As keyed states have it (keyed-state-registry.ts). */
const wordsFor = (state: string, operator: string): string => `state ${state} of operator ${operator}`;

interface EntryTable {
  readonly id: number;
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly entries: Map<string, unknown>;
  readonly changed: Set<string>;
}

class TableListState<T> implements OperatorListState<T> {
  constructor(
    private readonly table: EntryTable,
    private readonly assertLoaded: () => void,
  ) {}

  get(): T[] {
    this.assertLoaded();
    return [...this.table.entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value as T);
  }

  add(value: T): void {
    this.assertLoaded();
    this.#set(this.table.entries.size, value);
  }

  update(values: readonly T[]): void {
    this.assertLoaded();
    const { entries, changed } = this.table;
    for (let index = values.length; index < entries.size; index++) changed.add(indexName(index));
    entries.clear();
    values.forEach((value, index) => this.#set(index, value));
  }

  clear(): void {
    this.update([]);
  }

  #set(index: number, value: T): void {
    const name = indexName(index);
    this.table.entries.set(name, value);
    this.table.changed.add(name);
  }
}

/** Four bytes, big-endian, as latin1: ordered as the numbers are. */
function indexName(index: number): string {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(index);
  return bytes.latin1Slice(0, 4);
}

class TableBroadcastState<K, V> implements BroadcastState<K, V> {
  readonly #scratch = new ByteWriter(64);

  constructor(
    private readonly table: EntryTable,
    private readonly keyCodec: Codec<K>,
    private readonly assertLoaded: () => void,
    private readonly assertWritable: () => void,
  ) {}

  get(key: K): V | undefined {
    return this.table.entries.get(this.#nameOf(key)) as V | undefined;
  }

  has(key: K): boolean {
    return this.table.entries.has(this.#nameOf(key));
  }

  *entries(): IterableIterator<[K, V]> {
    this.assertLoaded();
    const names = [...this.table.entries.keys()].sort();
    for (const name of names) {
      const bytes = Buffer.from(name, 'latin1');
      yield [this.keyCodec.decode(bytes, 0, bytes.length), this.table.entries.get(name) as V];
    }
  }

  put(key: K, value: V): void {
    this.assertWritable();
    const name = this.#nameOf(key);
    this.table.entries.set(name, value);
    this.table.changed.add(name);
  }

  remove(key: K): void {
    this.assertWritable();
    const name = this.#nameOf(key);
    if (this.table.entries.delete(name)) this.table.changed.add(name);
  }

  clear(): void {
    this.assertWritable();
    for (const name of this.table.entries.keys()) this.table.changed.add(name);
    this.table.entries.clear();
  }

  #nameOf(key: K): string {
    this.assertLoaded();
    this.#scratch.clear();
    this.keyCodec.encode(key, this.#scratch);
    return this.#scratch.buffer.latin1Slice(0, this.#scratch.length);
  }
}
