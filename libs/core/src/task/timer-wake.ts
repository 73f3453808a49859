import type { Cancel, Clock } from '../ports/clock.js';

/** Timers of a host take at most 2^31 ms; a wake that comes early looks again. */
const LONGEST_WAIT_MS = 86_400_000;

/** Sees that a loop is woken when the next of its timers is due: one host timer at a time. */
export class TimerWake {
  #set: { readonly at: number; readonly cancel: Cancel } | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly wake: () => void,
  ) {}

  /** @param at milliseconds since the epoch; undefined if there is no timer */
  setTo(at: number | undefined): void {
    if (at === this.#set?.at) return;
    this.cancel();
    if (at === undefined) return;
    const waitMs = Math.min(Math.max(0, at - this.clock.wall()), LONGEST_WAIT_MS);
    const cancel = this.clock.after(waitMs, () => {
      this.#set = undefined;
      this.wake();
    });
    this.#set = { at, cancel };
  }

  cancel(): void {
    this.#set?.cancel();
    this.#set = undefined;
  }
}
