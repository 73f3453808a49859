import { errors } from '../errors/errors.js';
import { ByteWriter } from '../model/byte-writer.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import type { KeyEntry, KeyTable } from './key-table.js';
import { stateIdOf, writeStoredKey } from './stored-key.js';
import { TimerQueue } from './timer-queue.js';

/**
 * Processing-time timers of one keyed operator, Flink's: a key asks to be woken at a time, and is, once, with its state at hand. Timers are
 * state: they are committed with the epoch that set or fired them, and come back after a restart; those that fell due meanwhile fire then.
 *
 * A timer is stored as an entry of its key: stored key, then the time as 8 bytes (float64 big-endian, which orders times as numbers).
 * All timers of the task are on the heap as well, in a queue by time; a task with very many timers needs memory for them, as in Flink with
 * timers on the heap.
 *
 * Invariants:
 *   T1. One timer per key and time: setting it again changes nothing.
 *   T2. A timer fires in one epoch that is committed: its removal is written with what its firing did.
 */
export interface TimerService {
  /** Milliseconds since the epoch. */
  currentProcessingTime(): number;
  /**
   * Wakes the current key at `at`, milliseconds since the epoch; a time in the past means as soon as possible.
   * @throws WeirError `invalid` STATE_OUTSIDE_KEY outside of a record or timer, TIMER_UNHEARD if the function has no `onTimer`; RangeError for
   * what is no time
   */
  registerProcessingTimeTimer(at: number): void;
  /** Takes back a timer of the current key; nothing happens if there is none. */
  deleteProcessingTimeTimer(at: number): void;
}

/** Name under which the timers of an operator are kept among its states. */
export const TIMERS = '$timers';
const TIME_BYTES = 8;

interface Timer {
  readonly at: number;
  readonly key: Buffer;
  readonly keyGroup: number;
  readonly name: string;
}

export class KeyedTimers implements TimerService {
  readonly stateId: number;
  readonly #queue = new TimerQueue<Timer>();
  /** By name; a timer that is in the queue and not here was taken back. */
  readonly #live = new Map<string, Timer>();
  readonly #changed = new Map<string, Timer>();
  readonly #scratch = new ByteWriter(64);

  constructor(
    readonly operator: string,
    private readonly table: KeyTable,
    private readonly maxParallelism: number,
    private readonly wallTime: () => number,
    /** Whether the function has `onTimer`. */
    private readonly isHeard = true,
  ) {
    this.stateId = stateIdOf(operator, TIMERS);
  }

  currentProcessingTime(): number {
    return this.wallTime();
  }

  registerProcessingTimeTimer(at: number): void {
    if (!this.isHeard) throw errors.timerUnheard({ operator: this.operator });
    if (!Number.isFinite(at) || at < 0) throw new RangeError(`A timer takes milliseconds since the epoch, and ${at} came`);
    const timer = this.#timerOf(this.#current(), at);
    if (this.#live.has(timer.name)) return; // T1
    this.#add(timer);
    this.#changed.set(timer.name, timer);
  }

  deleteProcessingTimeTimer(at: number): void {
    const timer = this.#timerOf(this.#current(), at);
    if (this.#live.delete(timer.name)) this.#changed.set(timer.name, timer);
  }

  #current(): KeyEntry {
    const { current } = this.table;
    if (current === undefined) throw errors.stateOutsideKey({ state: 'timers', operator: this.operator });
    return current;
  }

  #timerOf({ bytes, keyGroup }: KeyEntry, at: number): Timer {
    return { at, key: bytes, keyGroup, name: `${at} ${bytes.latin1Slice(0, bytes.length)}` };
  }

  #add(timer: Timer): void {
    this.#live.set(timer.name, timer);
    this.#queue.push(timer);
  }

  get changes(): number {
    return this.#changed.size;
  }

  /** When the next timer is due; undefined if there is none. */
  get nextAt(): number | undefined {
    this.#dropTakenBack();
    return this.#queue.peek()?.at;
  }

  #dropTakenBack(): void {
    for (let first = this.#queue.peek(); first !== undefined && this.#live.get(first.name) !== first; first = this.#queue.peek()) this.#queue.pop();
  }

  /** Takes up to `limit` timers that are due, in the order of their times. They count as fired (T2). */
  takeDue(now: number, limit: number): readonly { readonly at: number; readonly key: Buffer }[] {
    const due: Timer[] = [];
    while (due.length < limit) {
      this.#dropTakenBack();
      const first = this.#queue.peek();
      if (first === undefined || first.at > now) break;
      this.#queue.pop();
      this.#live.delete(first.name);
      this.#changed.set(first.name, first);
      due.push(first);
    }
    return due;
  }

  /** Reads what the store has, one key group after the other. */
  load(store: StateStore): void {
    for (let keyGroup = 0; keyGroup < this.maxParallelism; keyGroup++) {
      this.#scratch.clear();
      this.#scratch.writeUint16(keyGroup);
      this.#scratch.writeUint32(this.stateId);
      const prefix = this.#scratch.copy();
      for (const { key: stored } of store.scan(prefix)) this.#add(timerIn(stored, prefix.length, keyGroup));
    }
  }

  /** Writes the changes of the running epoch: a row without a value, a tombstone, for what fired or was taken back. */
  freeze(changes: RecordWriter, timestamp: number): void {
    for (const timer of this.#changed.values()) {
      changes.begin(timestamp);
      writeStoredKey(changes.bytes, timer.keyGroup, this.stateId, timer.key);
      changes.bytes.writeFloat64(timer.at);
      changes.keyDone();
      if (this.#live.has(timer.name)) changes.valueDone(); // empty
      changes.end();
    }
    this.#changed.clear();
  }
}

/** The timer in a stored key, see writeStoredKey. */
function timerIn(stored: Buffer, prefix: number, keyGroup: number): Timer {
  const at = stored.readDoubleBE(stored.length - TIME_BYTES);
  let start = prefix;
  while (stored[start]! >= 0x80) start++; // the length of the key, which what follows tells as well
  const key = Buffer.from(stored.subarray(start + 1, stored.length - TIME_BYTES));
  return { at, key, keyGroup, name: `${at} ${key.latin1Slice(0, key.length)}` };
}
