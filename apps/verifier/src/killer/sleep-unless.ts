import { type Clock, sleep } from '@weir/core';

const STEP_MS = 50;

/** Sleeps in small steps, so that it ends soon after it is told to. */
export async function sleepUnless(clock: Clock, ms: number, isEnding: () => boolean): Promise<void> {
  const until = clock.monotonic() + ms;
  while (!isEnding() && clock.monotonic() < until) await sleep(clock, STEP_MS);
}
