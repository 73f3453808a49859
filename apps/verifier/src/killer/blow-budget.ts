/**
 * Blows that are still to be struck, shared by all who strike: together they strike as many as were asked for. They may be released bit by
 * bit, so that what was struck has time to come back between one burst and the next.
 */
export class BlowBudget {
  #taken = 0;
  #released: number;

  /**
   * @param total Infinity for those who strike until they are told to end
   * @param released may be struck at once
   */
  constructor(
    readonly total: number,
    released = total,
  ) {
    this.#released = Math.min(released, total);
  }

  get left(): number {
    return this.total - this.#taken;
  }

  /** Whether a blow may be struck now. */
  get isOpen(): boolean {
    return this.#taken < this.#released;
  }

  /** Lets so many more be struck. */
  release(count: number): void {
    this.#released = Math.min(this.#released + count, this.total);
  }

  /** @returns whether there was one that may be struck now */
  take(): boolean {
    if (!this.isOpen) return false;
    this.#taken++;
    return true;
  }
}
