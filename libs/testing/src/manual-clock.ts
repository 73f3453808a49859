import { setImmediate as turn } from 'node:timers/promises';
import type { Cancel, Clock } from '@weir/core';
import { errors } from './errors.js';
import { SeededRandom } from './seeded-random.js';

/**
 * ManualClock: a Clock whose time passes only when a spec says so, and whose random numbers and ids come from a seed.
 *
 * It owns simulated time and its timers. It does not own real I/O: a continuation that waits for a file or a socket is not
 * waited for, unless the work was given to `during`.
 *
 * How continuations are drained. Between two timers the clock waits for one turn of Node's event loop (`setImmediate`). Node runs
 * every promise continuation and every `process.nextTick` that is pending, and all that those queue in turn, before the next
 * macrotask; so after that turn nothing is left that could run without time passing. How long the turn takes in real time
 * changes nothing: no real timer is involved, and the order of everything follows from the order of calls alone.
 *
 * Invariants:
 * - M1. Timers run in the order of their due time, those of one due time in the order of their creation (timers of 0 ms, too).
 * - M2. While a timer runs, `monotonic()` is its due time. Time stands still until all continuations it caused have settled.
 * - M3. One `advance` runs at a time; others wait for it in the order of their calls.
 * - M4. `monotonic` never goes back; `wall` does only through `setWall`.
 * - M5. Time stands still while work given to `during` is under way.
 */
export class ManualClock implements Clock {
  readonly seed: number;
  #now = 0;
  #wallAtZero: number;
  /** Ordered by due time, then by creation (M1). */
  readonly #timers: Timer[] = [];
  #created = 0;
  #advancing: Promise<void> = Promise.resolve();
  readonly #random: SeededRandom;
  readonly #idRandom: SeededRandom;
  #ids = 0;
  readonly #outside = new Set<Promise<unknown>>();

  constructor(options: ManualClockOptions = {}) {
    this.seed = options.seed ?? 1;
    this.#wallAtZero = options.wall ?? DEFAULT_WALL;
    this.#random = new SeededRandom(this.seed);
    this.#idRandom = this.#random.fork(ID_STREAM);
  }

  wall(): number {
    return this.#wallAtZero + this.#now;
  }

  /** Makes the wall clock jump to `ms`, forwards or back, as an operator or NTP would; timers and `monotonic` do not notice. */
  setWall(ms: number): void {
    this.#wallAtZero = ms - this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** By SeededRandom (sfc32), from a stream that ids do not draw from. */
  random(): number {
    return this.#random.next();
  }

  /** 24 random hexadecimal digits, then the running number of the id in 8: unique within this clock, the same in every run. */
  newId(): string {
    const random = Array.from({ length: 3 }, () => hex8(this.#idRandom.uint32())).join('');
    return random + hex8(this.#ids++);
  }

  after(ms: number, run: () => void): Cancel {
    const timer: Timer = { due: this.#now + Math.max(0, ms), created: this.#created++, run };
    this.#timers.splice(this.#placeOf(timer), 0, timer);
    return () => {
      const at = this.#placeOf(timer);
      if (this.#timers[at] === timer) this.#timers.splice(at, 1);
    };
  }

  /** Lets real work, such as a file's, happen between two timers (M5). Gives what it gives. */
  during<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => void this.#outside.delete(ended),
      () => void this.#outside.delete(ended),
    );
    this.#outside.add(ended);
    return work;
  }

  /** Until nothing is left that could run without time passing (M2, M5). */
  async #drain(): Promise<void> {
    await turn();
    while (this.#outside.size > 0) {
      await Promise.all(this.#outside);
      await turn();
    }
  }

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** When the next timer is due, by `monotonic`; undefined if none waits. */
  get nextDue(): number | undefined {
    return this.#timers[0]?.due;
  }

  /**
   * Lets `ms` milliseconds pass: runs every timer that falls due, those set on the way included, and lets promise continuations
   * settle before the first, between any two, and after the last. `advance(0)` runs what is due now.
   * @throws WeirError `invalid` CLOCK_STANDS_STILL if timers of 0 ms set each other without end
   */
  advance(ms: number): Promise<void> {
    return this.#inTurn(async () => {
      const target = this.#now + Math.max(0, ms);
      await this.#drain();
      let atThisInstant = 0;
      for (let timer = this.#timers[0]; timer !== undefined && timer.due <= target; timer = this.#timers[0]) {
        atThisInstant = timer.due > this.#now ? 0 : atThisInstant + 1;
        if (atThisInstant > TIMERS_PER_INSTANT_LIMIT) throw errors.clockStandsStill({ at: this.#now, timers: TIMERS_PER_INSTANT_LIMIT });
        await this.#run(timer);
      }
      this.#now = target;
    });
  }

  /**
   * Lets time pass until `promise` has settled, and gives what it gave. Time moves from timer to timer and no further than needed.
   * @param limitMs simulated milliseconds after which waiting ends
   * @throws what `promise` rejects with; WeirError `invalid` NEVER_SETTLES if no timer is left that could settle it, or the limit passed
   */
  async settled<T>(promise: Promise<T>, limitMs = DEFAULT_LIMIT_MS): Promise<T> {
    let pending = true;
    const done = (): void => void (pending = false);
    promise.then(done, done);
    await this.waitUntil(() => !pending, limitMs);
    return promise;
  }

  /**
   * Lets time pass, from timer to timer, until `condition` holds.
   * @param limitMs simulated milliseconds after which waiting ends
   * @throws WeirError `invalid` NEVER_SETTLES if it does not hold with no timer left, or the limit passed
   */
  async waitUntil(condition: () => boolean, limitMs = DEFAULT_LIMIT_MS): Promise<void> {
    const start = this.#now;
    await this.advance(0);
    while (!condition()) {
      await this.#inTurn(async () => {
        // Another waiter's turn may have brought it about: one step more could run a timer that nobody waits for.
        if (!condition()) await this.#runNext(start, limitMs);
      });
    }
  }

  /** The clock as one simulated process has it: same time, but timers that end with the process. */
  process(): ProcessClock {
    return new ProcessClock(this);
  }

  async #runNext(start: number, limitMs: number): Promise<void> {
    const timer = this.#timers[0];
    if (timer === undefined || timer.due - start > limitMs) {
      throw errors.neverSettles({ waitedMs: this.#now - start, limitMs, timersLeft: this.#timers.length });
    }
    await this.#run(timer);
  }

  async #run(timer: Timer): Promise<void> {
    this.#timers.shift();
    this.#now = Math.max(this.#now, timer.due);
    timer.run();
    await this.#drain();
  }

  /** M3. A failed advance is its caller's to hear of, and holds up no other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#advancing.then(work);
    this.#advancing = mine.catch(() => undefined);
    return mine;
  }

  /** Index of a timer, or where it belongs: the first whose due time and creation are not below it. */
  #placeOf(timer: Timer): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle]!;
      if (other.due < timer.due || (other.due === timer.due && other.created < timer.created)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface ManualClockOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Wall-clock time at the start, in milliseconds since the epoch. Default: 1 January 2024, UTC. */
  readonly wall?: number;
}

/**
 * A Clock that dies with its process: after `kill` none of its timers runs any more, as if the process had been ended by SIGKILL.
 * Give each simulated process one of its own. `pause` and `resume` are SIGSTOP and SIGCONT: what falls due meanwhile runs late, in its order.
 */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<ProcessTimer>();
  #alive = true;
  /** What fell due since the process was paused; undefined while it runs. */
  #late: ProcessTimer[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wall = (): number => this.#clock.wall();
  monotonic = (): number => this.#clock.monotonic();
  random = (): number => this.#clock.random();
  newId = (): string => this.#clock.newId();

  after(ms: number, run: () => void): Cancel {
    if (!this.#alive) return () => undefined;
    const timer: ProcessTimer = { run, cancel: () => undefined };
    this.#timers.add(timer);
    this.#arm(timer, ms);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  #arm(timer: ProcessTimer, ms: number): void {
    timer.cancel = this.#clock.after(ms, () => {
      if (this.#late !== undefined) {
        this.#late.push(timer);
        return;
      }
      this.#timers.delete(timer);
      timer.run();
    });
  }

  /** Idempotent. */
  pause(): void {
    this.#late ??= [];
  }

  /** Idempotent. */
  resume(): void {
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const timer of late) if (this.#timers.has(timer)) this.#arm(timer, 0);
  }

  /** Idempotent. */
  kill(): void {
    this.#alive = false;
    for (const { cancel } of this.#timers) cancel();
    this.#timers.clear();
  }
}

interface ProcessTimer {
  readonly run: () => void;
  cancel: Cancel;
}

interface Timer {
  readonly due: number;
  readonly created: number;
  readonly run: () => void;
}

const DEFAULT_WALL = Date.UTC(2024, 0, 1);
const DEFAULT_LIMIT_MS = 600_000;
/** More timers than this at one instant are a loop. */
const TIMERS_PER_INSTANT_LIMIT = 100_000;
const ID_STREAM = 1;

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');
