/** Milliseconds between two lines where output is not a terminal. */
const PIPED_EVERY_MS = 5_000;

/**
 * Lines above, one line of status below. On a terminal the status is written over itself; piped, it is a plain line now and then, so
 * that what is kept of it can be read.
 */
export class StatusLine {
  #status = '';
  #lastPiped = 0;

  constructor(
    private readonly out: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number },
    private readonly now: () => number,
  ) {
    this.#lastPiped = now();
  }

  /** A line that stays. */
  print(line: string): void {
    if (this.out.isTTY === true) this.out.write(`\r\x1b[K${line}\n${this.#fitting()}`);
    else this.out.write(`${line}\n`);
  }

  /** What the status is now. */
  show(status: string): void {
    this.#status = status;
    if (this.out.isTTY === true) this.out.write(`\r\x1b[K${this.#fitting()}`);
    else if (this.now() - this.#lastPiped >= PIPED_EVERY_MS) {
      this.#lastPiped = this.now();
      this.out.write(`${status}\n`);
    }
  }

  /** The last status, as a line that stays. */
  end(): void {
    if (this.out.isTTY === true) this.out.write(`\r\x1b[K${this.#status}\n`);
    else this.out.write(`${this.#status}\n`);
  }

  #fitting(): string {
    return this.#status.slice(0, Math.max(20, (this.out.columns ?? 80) - 1));
  }
}
