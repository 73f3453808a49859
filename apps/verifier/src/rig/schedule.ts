import type { Clock } from '@weir/core';

/** Milliseconds that a blow is thought to take before the first was struck: a start, some running, a look at what is left. */
const FIRST_GUESS_MS = 3_500;
/** Milliseconds for which readings flow after the last blow. */
const TAIL_MS = 2_000;

/**
 * How long the readings still have to flow: as long as the blows to come will take, judged by those that were struck, and a tail after the
 * last; and at least as long as was asked for.
 */
export class Schedule {
  readonly #began: number;
  #struck = 0;
  #since: number;

  /** @param atLeastMs from now */
  constructor(
    private readonly blows: number,
    private readonly atLeastMs: number,
    private readonly clock: Clock,
  ) {
    this.#began = this.#since = clock.monotonic();
  }

  /** A blow was struck. */
  struck(): void {
    this.#struck++;
    this.#since = this.clock.monotonic();
  }

  /** No further blow comes. */
  cutShort(): void {
    this.#struck = this.blows;
    this.#since = this.clock.monotonic();
  }

  remainingMs(): number {
    const now = this.clock.monotonic();
    const mean = (FIRST_GUESS_MS + (this.#since - this.#began)) / (this.#struck + 1);
    const left = this.blows - this.#struck;
    // The blow that is under way is not over before it is struck, however long it takes.
    const blows = left === 0 ? 0 : Math.max(0, mean - (now - this.#since)) + (left - 1) * mean;
    const tail = left === 0 ? Math.max(0, TAIL_MS - (now - this.#since)) : TAIL_MS;
    return Math.max(blows + tail, this.atLeastMs - (now - this.#began));
  }
}
