/**
 * ShuffleBudget: how many bytes a task may put out between two barriers, if others read them behind a shuffle. It keeps rounds short where a later
 * stage is slow: a round ends when that stage has come to the barrier, so what lies before the barrier is what the round waits for, and
 * what the repartition topic holds. It does not own memory (epoch-limits.ts), nor when barriers come.
 *
 *   a round that took longer than AIM_MS   the budget is what the readers got through in that time, scaled to PART of the aim
 *   one that took less than half of it     if at least half of the budget was used, it doubles; less than an eighth: it becomes four times as much
 *
 * So it starts as a guess, as a window of TCP does, and finds the readers' pace in either direction, as Flink's buffer debloating does
 * (FLIP-183). Pure: times are given, in monotonic milliseconds.
 *
 * Invariants:
 *   U1. A task whose budget is spent waits for the next barrier, or for being asked to commit without one: one of the two always comes, for
 *       where no round is triggered for a while all tasks are asked (job/round-follower.ts). Both renew the budget.
 *   U2. A task that was asked for a barrier is never held back by it: it must read on to come to the barrier itself, and to the ends of
 *       broadcasts (R9). What it reads then is bounded by the budgets of those before it.
 */
const AIM_MS = 10_000;
/** Of the aim, for rounds that are to stay below it. */
const PART = 0.75;
const FIRST_BYTES_PER_SECOND = 128 * 1024;
const LEAST_BYTES = 256 * 1024;
const MOST_BYTES = 1024 * 1024 * 1024;

export class ShuffleBudget {
  readonly #aimMs: number;
  #budget: number;
  /** Put out since the last barrier, epochs that were committed without one included. */
  #spent = 0;
  /** Of the round that is waited for: what was put out before its barrier. */
  #awaited: { readonly bytes: number; readonly at: number } | undefined;
  /** When the former round ended. */
  #endedAt: number | undefined;

  /** @param intervalMs between barriers, where rounds are quick. @param timeoutMs after which a round is given up */
  constructor(
    private readonly intervalMs: number,
    timeoutMs: number,
  ) {
    this.#aimMs = Math.min(AIM_MS, timeoutMs / 4);
    this.#budget = this.#bytesAt(FIRST_BYTES_PER_SECOND / 1_000);
  }

  /** Bytes between two barriers. */
  get bytes(): number {
    return this.#budget;
  }

  /** @param running bytes that the running epoch has put out */
  isSpent(running: number): boolean {
    return this.#spent + running >= this.#budget;
  }

  /** An epoch was frozen, with a barrier or without. @param bytes that it put out */
  frozen(bytes: number, withBarrier: boolean, now: number): void {
    this.#spent += bytes;
    if (!withBarrier) return;
    this.#awaited = { bytes: this.#spent, at: now };
    this.#spent = 0;
  }

  /** U1. */
  renew(): void {
    this.#spent = 0;
  }

  /** Whether the end of a round is awaited. */
  get isAwaiting(): boolean {
    return this.#awaited !== undefined;
  }

  /** The round of the last barrier has ended. */
  roundEnded(now: number): void {
    if (this.#awaited === undefined) return;
    const { bytes, at } = this.#awaited;
    const tookMs = now - at;
    if (tookMs > this.#aimMs) this.#budget = this.#bytesAt((bytes / (now - (this.#endedAt ?? at))) * PART);
    else if (tookMs < this.#aimMs / 2 && bytes >= this.#budget / 2) this.#budget = Math.min(MOST_BYTES, this.#budget * (tookMs < this.#aimMs / 8 ? 4 : 2));
    this.#awaited = undefined;
    this.#endedAt = now;
  }

  #bytesAt(perMs: number): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.floor(perMs * (this.intervalMs + this.#aimMs))));
  }
}
