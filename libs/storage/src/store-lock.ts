import { sleep, type Clock } from '@weir/core';
import { errors, type StoreAct } from './errors.js';

/** Milliseconds between two attempts: an owner that is closing lets go within a few. */
const PAUSE_MS = 25;

export const DEFAULT_LOCK_TIMEOUT_MS = 10_000;

/** How long a second opener waits for the first to let go (S5). */
export interface LockPatience {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Calls `attempt` until it no longer answers `undefined`, which says that another owner holds the lock.
 * The holder is often the same task in a process that is just ending, or paused: hence the wait, and its bound.
 * @throws WeirError `retry` STATE_LOCKED after `timeoutMs` milliseconds; whatever `attempt` throws
 */
export async function whenUnlocked<T>(
  act: StoreAct,
  path: string,
  patience: LockPatience,
  attempt: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const { clock, timeoutMs } = patience;
  const began = clock.monotonic();
  for (;;) {
    const got = await attempt();
    if (got !== undefined) return got;
    const left = timeoutMs - (clock.monotonic() - began);
    if (left <= 0) throw errors.locked({ act, path, waitedMs: timeoutMs });
    await sleep(clock, Math.min(PAUSE_MS, left));
  }
}
