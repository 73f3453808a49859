import { NULL, type RecordColumns, type StateEntry, type StateStore, type StorePosition, type WeirError } from '@weir/core';
import { type StoreAct, errors } from '../errors.js';
import { SortedEntries } from './simulated-disk-entries.js';

/** What lies on a simulated disk under one name, whether somebody has it open or not. Outlives every process. */
export class StoreFile {
  readonly entries = new SortedEntries();
  position: StorePosition | undefined;
  /** Who holds its lock: one process at a time (S5). */
  opener: object | undefined;

  constructor(readonly name: string) {}
}

/** What a store needs of the process that opened it. */
export interface StoreOwner {
  /** Does `act`, unless the process is dead, and tells its outcome, if the process lives to hear of it. */
  run<T>(act: () => Promise<T>): Promise<T>;
  /** Called before a valid batch is written. @throws WeirError a planned failure of the disk */
  beforeWrite(store: string): void;
  /** Called once, when the store was closed. */
  closed(store: SimulatedStore): void;
}

type StoreState = { readonly status: 'open' } | { readonly status: 'failed'; readonly error: WeirError } | { readonly status: 'closed' };

/**
 * A store of a simulated disk, as the process that opened it sees it.
 *
 *   open ------> closed
 *     |            ^
 *     +-> failed --+     a planned failure struck: every later call but `close` throws the same error (S7)
 *
 * Invariants:
 * - T1. `apply` checks the whole batch before it changes anything, and then changes data and position in one synchronous step (S1, S2, S3).
 * - T2. No buffer of the file is handed out, and none of a caller is kept.
 */
export class SimulatedStore implements StateStore {
  #state: StoreState = { status: 'open' };

  constructor(
    readonly file: StoreFile,
    private readonly owner: StoreOwner,
  ) {}

  get position(): StorePosition | undefined {
    return this.file.position;
  }

  get(key: Uint8Array): Buffer | undefined {
    this.#check('reading');
    const value = this.file.entries.get(textOf(key));
    return value === undefined ? undefined : Buffer.from(value); // T2
  }

  getMany(keys: readonly Uint8Array[]): (Buffer | undefined)[] {
    this.#check('reading');
    return keys.map((key) => this.get(key));
  }

  scan(prefix: Uint8Array): IterableIterator<StateEntry> {
    this.#check('scanning');
    return this.#asEntries(this.file.entries.snapshot(textOf(prefix)));
  }

  *#asEntries(snapshot: IterableIterator<[string, Buffer]>): IterableIterator<StateEntry> {
    for (const [key, value] of snapshot) {
      this.#check('scanning');
      yield { key: Buffer.from(key, 'latin1'), value: Buffer.from(value) }; // T2
    }
  }

  apply(changes: RecordColumns, position: StorePosition): Promise<void> {
    return this.owner.run(async () => this.#apply(changes, position));
  }

  #apply(changes: RecordColumns, position: StorePosition): void {
    this.#check('writing');
    const { name, entries } = this.file;
    checkPosition(name, this.file.position, position);
    for (let row = 0; row < changes.count; row++) if (changes.keyStart[row] === NULL) throw errors.stateKeyMissing({ store: name, row });
    this.#letStrike();
    // T1: nothing below can fail.
    for (let row = 0; row < changes.count; row++) {
      const key = textOf(changes.key(row)!);
      const value = changes.value(row);
      if (value === null) entries.delete(key);
      else entries.set(key, Buffer.from(value)); // T2
    }
    this.file.position = { ...position };
  }

  #letStrike(): void {
    try {
      this.owner.beforeWrite(this.file.name);
    } catch (thrown) {
      this.#state = { status: 'failed', error: thrown as WeirError };
      throw thrown;
    }
  }

  approximateSize(): number {
    return this.#state.status === 'open' ? this.file.entries.byteLength : 0;
  }

  close(): Promise<void> {
    return this.owner.run(async () => {
      if (this.#state.status === 'closed') return;
      this.#state = { status: 'closed' };
      this.owner.closed(this);
    });
  }

  #check(act: StoreAct): void {
    if (this.#state.status === 'open') return;
    throw this.#state.status === 'failed' ? this.#state.error : errors.stateClosed({ act, store: this.file.name });
  }
}

/** @throws WeirError `internal` for a position that cannot be, that goes back, or that is of another log (S2, S6) */
function checkPosition(store: string, held: StorePosition | undefined, given: StorePosition): void {
  const refuse = (field: string, expected: string, actual: unknown): never => {
    throw errors.statePositionInvalid({ store, field, expected, actual: String(actual) });
  };
  if (!Number.isSafeInteger(given.offset) || given.offset < 0) refuse('offset', 'a whole number from 0', given.offset);
  if (given.leaderEpoch !== (given.leaderEpoch | 0)) refuse('leaderEpoch', 'a whole number of 32 bits', given.leaderEpoch);
  if (!Number.isFinite(given.writtenAt)) refuse('writtenAt', 'a number of milliseconds', given.writtenAt);
  if (held !== undefined && (given.topicId !== held.topicId || given.offset < held.offset)) {
    throw errors.statePositionRegressed({ store, held: spelled(held), given: spelled(given) });
  }
}

const spelled = ({ offset, topicId }: StorePosition): string => `offset ${offset} of topic id ${topicId}`;

/** Bytes as text of the same order, one character a byte. */
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice(0, bytes.length);
