/** Blows that are still to be struck, shared by all who strike: together they strike as many as were asked for. */
export class BlowBudget {
  #taken = 0;

  /** @param total Infinity for those who strike until they are told to end */
  constructor(readonly total: number) {}

  get left(): number {
    return this.total - this.#taken;
  }

  /** @returns whether there was one left */
  take(): boolean {
    if (this.#taken >= this.total) return false;
    this.#taken++;
    return true;
  }
}
