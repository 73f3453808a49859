import { type CheckpointId, checkpointId } from '../model/brands.js';

/**
 * What rounds have asked of a task and not got yet, and what they bind it to. Pure: times are given.
 *
 *   FREE --trigger n--> ASKED(n) --frozen with barrier n--> BOUND(n) --end of n, or a later trigger--> FREE or ASKED
 *    | ^                   |
 *    | +---end of n--------+
 *    +--plain--> ASKED(plain) --taken--> FREE
 *
 * Rules of the checkpoint protocol kept here (design, section 5):
 *   R1. From the freeze with barrier n to the end of n the task is bound: it commits nothing.
 *   R3. A task that starts while the round of its last barrier is open waits for its end, too, and takes no second barrier of it.
 */
export class TaskRound {
  /** What the task was asked for and has not begun yet. */
  #request: { readonly type: 'barrier'; readonly id: CheckpointId; readonly at: number } | { readonly type: 'plain' } | undefined;
  /** The round whose end is awaited. */
  #window: CheckpointId | undefined;
  #lastBarrier: CheckpointId = checkpointId(0);
  /** The newest barrier that came on any input, and when the first of its kind did. */
  #seen: { readonly id: CheckpointId; readonly at: number } | undefined;

  /** The last barrier that the task has committed. */
  get lastBarrier(): CheckpointId {
    return this.#lastBarrier;
  }

  /** Whether the end of a round is awaited (R1). */
  get isBound(): boolean {
    return this.#window !== undefined;
  }

  /** The barrier that was asked for; undefined if none is. */
  get asked(): CheckpointId | undefined {
    return this.#request?.type === 'barrier' ? this.#request.id : undefined;
  }

  /** The task was restored up to this barrier. */
  restored(barrier: CheckpointId): void {
    this.#lastBarrier = barrier;
  }

  /** R3. @param open the round that is open as the task begins to run */
  join(open: CheckpointId | undefined): void {
    if (open !== undefined && this.#lastBarrier >= open) this.#window = open;
  }

  /** @param now monotonic milliseconds. @returns false for a barrier that the task has already (R3) */
  trigger(id: CheckpointId, now: number): boolean {
    if (id <= this.#lastBarrier || this.#window === id) return false;
    this.#window = undefined; // a later trigger says that the round before has ended
    this.#request = { type: 'barrier', id, at: now };
    return true;
  }

  askPlain(): void {
    this.#request ??= { type: 'plain' };
  }

  /** Whether a commit without a barrier was asked for; it is no longer then. */
  takePlain(): boolean {
    const asked = this.#request?.type === 'plain';
    if (asked) this.#request = undefined;
    return asked;
  }

  /** A barrier was read from an input. @param now monotonic milliseconds */
  onBarrier(id: CheckpointId, now: number): void {
    if (this.#seen === undefined || id > this.#seen.id) this.#seen = { id, at: now };
  }

  /** Milliseconds since the barrier that is asked for came first: from an upstream task if there are any, else with its trigger. */
  alignmentMs(now: number): number {
    if (this.#request?.type !== 'barrier') return 0;
    const { id, at } = this.#request;
    return Math.max(0, now - (this.#seen?.id === id ? this.#seen.at : at));
  }

  /** The epoch was frozen, with its barrier or without one. */
  frozen(barrier: CheckpointId | undefined): void {
    if (barrier === undefined) return;
    this.#request = undefined;
    this.#window = barrier;
  }

  /** The barrier is committed, or there was nothing to commit for it (R8). */
  acknowledged(barrier: CheckpointId): void {
    if (this.asked === barrier) this.#request = undefined;
    this.#lastBarrier = barrier;
  }

  /** Round `id` was recorded as ended: a barrier not frozen yet is dropped with it. */
  end(id: CheckpointId): void {
    if (this.#request?.type === 'barrier' && this.#request.id <= id) this.#request = undefined;
    if (this.#window !== undefined && this.#window <= id) this.#window = undefined;
  }
}
