import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import type { Direction, FaultyProxy } from './faulty-proxy.js';
import { ProxyStriker } from './proxy-striker.js';

/** Notes what is done to it, and can say what is still wrong with it. */
class FakeProxy {
  readonly acts: string[] = [];
  delayMs = 0;
  readonly heldUntil: Record<Direction, number> = { requests: 0, answers: 0 };

  constructor(private readonly clock: ManualClock) {}

  delay(ms: number): void {
    this.delayMs = ms;
    this.acts.push(`delay ${ms}`);
  }

  hold(directions: readonly Direction[], ms: number): void {
    for (const direction of directions) this.heldUntil[direction] = this.clock.monotonic() + ms;
    this.acts.push(`hold ${directions.join(' and ')}`);
  }

  cut(chosen: () => boolean): number {
    this.acts.push('cut');
    return [chosen(), chosen()].filter(Boolean).length;
  }
}

async function strike(faults: number): Promise<{ striker: ProxyStriker; proxies: readonly FakeProxy[]; clock: ManualClock; struck: number }> {
  const clock = new ManualClock();
  const proxies = [new FakeProxy(clock), new FakeProxy(clock), new FakeProxy(clock)];
  const told = { struck: 0 };
  const striker = new ProxyStriker({ proxies: proxies as unknown as readonly FaultyProxy[], faults, seed: 3, clock, isDue: () => true, struck: () => told.struck++ });
  let done = false;
  const run = striker.run().finally(() => (done = true));
  while (!done) await clock.advance(1_000);
  await run;
  return { striker, proxies, clock, struck: told.struck };
}

describe('the striker of the network', () => {
  it('has each kind of fault equally often, somewhere or everywhere', async () => {
    const { striker, proxies, struck } = await strike(40);
    expect(striker.faults).toEqual({ cut: 10, delay: 10, stall: 10, 'lost answers': 10 });
    expect(striker.total).toBe(40);
    expect(struck).toBe(40);
    expect(striker.connectionsCut).toBeGreaterThan(15);
    for (const { acts } of proxies) {
      expect(new Set(acts.map((act) => act.split(' ')[0]))).toEqual(new Set(['cut', 'delay', 'hold']));
      expect(acts).toContain('hold answers');
      expect(acts).toContain('hold requests and answers');
    }
  });

  it('leaves nothing wrong behind', async () => {
    const { proxies, clock } = await strike(12);
    for (const { delayMs, heldUntil } of proxies) {
      expect(delayMs).toBe(0);
      expect(Math.max(heldUntil.requests, heldUntil.answers)).toBeLessThanOrEqual(clock.monotonic());
    }
  });
});
