import type { Clock } from '@weir/core';

/** How long a reader saw nothing, at most, between the first record that it saw and the last. */
export class ReaderGaps {
  #last: number | undefined;
  #longest = 0;

  constructor(private readonly clock: Clock) {}

  /** Milliseconds. */
  get longest(): number {
    return this.#longest;
  }

  /** It saw a record. */
  saw(): void {
    const now = this.clock.monotonic();
    if (this.#last !== undefined && now - this.#last > this.#longest) this.#longest = now - this.#last;
    this.#last = now;
  }
}
