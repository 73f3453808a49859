import { sleep, type Clock } from '@weir/core';

/**
 * Pauses between attempts: doubling from `first` to `most` milliseconds, each shortened at random by up to a fifth, so that many do
 * not knock at once.
 */
export class Backoff {
  #next: number;

  constructor(
    private readonly clock: Clock,
    private readonly first: number,
    private readonly most: number,
  ) {
    this.#next = first;
  }

  pause(): Promise<void> {
    return sleep(this.clock, this.take());
  }

  /** Milliseconds to wait before the next attempt. */
  take(): number {
    const ms = this.#next * (1 - this.clock.random() / 5);
    this.#next = Math.min(this.#next * 2, this.most);
    return ms;
  }

  reset(): void {
    this.#next = this.first;
  }
}
