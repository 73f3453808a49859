import { errors } from '../errors/errors.js';
import type { StateEntry } from '../ports/state-backend.js';
import { type CollectionCell, REMOVED } from './collection-cell.js';
import type { KeyEntry, KeyTable } from './key-table.js';
import { decodeStateValue, isExpired, type TableState, Timed } from './table-state.js';

/** An entry of a collection: its sub-key's bytes as text, and its value. */
export interface CollectionEntry {
  readonly subKey: string;
  readonly value: unknown;
}

/**
 * KeyedCollection: the current key's list or map, as a handle sees it: entries by sub-key, over the layers of a cell and the store, with
 * their time to live. Lists and maps differ only in what their sub-keys are (table-list-state.ts, table-map-state.ts).
 */
export class KeyedCollection {
  constructor(
    private readonly table: KeyTable,
    private readonly ordinal: number,
    private readonly state: TableState,
    /** Whether point reads are worth caching. */
    private readonly isCached: boolean,
  ) {}

  /** @throws WeirError `invalid` STATE_OUTSIDE_KEY */
  get #entry(): KeyEntry {
    return this.table.current ?? this.#outsideKey(this.state.name);
  }

  #outsideKey(what: string): never {
    throw errors.stateOutsideKey({ state: what, operator: this.state.operator });
  }

  get(subKey: string): unknown {
    const entry = this.#entry;
    const cell = this.table.cell(entry, this.ordinal);
    const found = cell.change(subKey) ?? cell.cache.get(subKey) ?? this.#stored(entry, cell, subKey);
    return found === REMOVED ? undefined : this.#read(entry, subKey, found);
  }

  #stored(entry: KeyEntry, cell: CollectionCell, subKey: string): unknown {
    const { table, state } = this;
    const bytes = table.store.get(table.storedKey(entry, state, subKey));
    const value = bytes === undefined ? REMOVED : decodeStateValue(state, bytes);
    // One from a time without TTL is rewritten as soon as it is read.
    const isUntimed = value instanceof Timed && Number.isNaN(value.at);
    if (this.isCached && !isUntimed) table.remember(cell, subKey, value);
    return value;
  }

  /** What a point read gives; one that finds an expired entry removes it. */
  #read(entry: KeyEntry, subKey: string, found: unknown): unknown {
    if (!(found instanceof Timed)) return found;
    const value = this.#alive(entry, subKey, found);
    if (value === undefined) this.table.writeInto(entry, this.ordinal, subKey, REMOVED);
    return value;
  }

  /** The value unless it has expired; reading it may be an update. */
  #alive(entry: KeyEntry, subKey: string, { value, at }: Timed): unknown {
    const now = this.table.now();
    const isUntimed = Number.isNaN(at);
    const ttl = this.state.ttl!;
    if (!isUntimed && isExpired(at, now, ttl)) return undefined;
    if (isUntimed || (ttl.update === 'onReadAndWrite' && at < now)) this.table.writeInto(entry, this.ordinal, subKey, new Timed(value, now));
    return value;
  }

  set(subKey: string, value: unknown): void {
    const { table, ordinal } = this;
    const entry = this.#entry;
    if (value === undefined) {
      const { name, operator } = this.state;
      throw errors.stateRegistration({ state: name, operator, problem: 'it was given undefined', advice: 'Remove an entry to have none.' });
    }
    table.writeInto(entry, ordinal, subKey, this.state.ttl === undefined ? value : new Timed(value, table.now()));
  }

  remove(subKey: string): void {
    this.table.writeInto(this.#entry, this.ordinal, subKey, REMOVED);
  }

  clear(): void {
    this.table.clearCollection(this.#entry, this.ordinal);
  }

  /**
   * All entries in the order of their sub-keys' bytes, read lazily: what the store holds, merged with what it lacks. An expired one is
   * passed over and left to the sweep, so that passing over many costs no memory.
   * @throws WeirError `invalid` STATE_OUTSIDE_KEY, at once or when it is used beyond its record
   */
  entries(): IterableIterator<CollectionEntry> {
    return this.#merge(this.#entry, this.table.generation);
  }

  *#merge(entry: KeyEntry, generation: number): IterableIterator<CollectionEntry> {
    const { table } = this;
    this.#checkTurn(entry, generation);
    const cell = table.cell(entry, this.ordinal);
    const changed = cell.changedKeys();
    const prefix = table.storedKey(entry, this.state);
    const stored = cell.hidesStore ? undefined : table.store.scan(prefix);
    try {
      let next = nextOf(stored);
      for (let i = 0; i < changed.length || next !== undefined; ) {
        const storedKey = next?.key.latin1Slice(prefix.length, next.key.length);
        const subKey = storedKey === undefined || (i < changed.length && changed[i]! < storedKey) ? changed[i]! : storedKey;
        const isStored = subKey === storedKey;
        // An overlay may have learned of it since the iteration began.
        const found = cell.change(subKey) ?? (isStored ? decodeStateValue(this.state, next!.value) : REMOVED);
        if (i < changed.length && changed[i] === subKey) i++;
        if (isStored) next = nextOf(stored);
        const value = found instanceof Timed ? this.#alive(entry, subKey, found) : found;
        if (value === REMOVED || value === undefined) continue;
        yield { subKey, value };
        this.#checkTurn(entry, generation);
      }
    } finally {
      stored?.return?.();
    }
  }

  #checkTurn(entry: KeyEntry, generation: number): void {
    if (this.table.current === entry && this.table.generation === generation) return;
    this.#outsideKey(`${this.state.name} (an iteration kept beyond its record)`);
  }
}

function nextOf(scan: IterableIterator<StateEntry> | undefined): StateEntry | undefined {
  const next = scan?.next();
  return next === undefined || next.done === true ? undefined : next.value;
}
