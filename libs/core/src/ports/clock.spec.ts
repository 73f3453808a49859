import { describe, expect, it } from '@jest/globals';
import { clockOf, type ClockHost, sleep } from './clock.js';

/** A host whose timers a spec runs. */
class FakeHost implements ClockHost {
  readonly timers = new Map<object, { readonly kind: string; readonly run: () => void }>();
  readonly Date = { now: () => 1_700_000_000_000 };
  readonly performance = { now: () => 12.5 };
  readonly Math = { random: () => 0.25 };
  readonly crypto = { randomUUID: () => '0123-4567-89ab' };

  setTimeout(run: () => void, ms: number): object {
    return this.#add(`timeout ${ms}`, run);
  }
  setImmediate(run: () => void): object {
    return this.#add('immediate', run);
  }
  clearTimeout(handle: never): void {
    this.timers.delete(handle);
  }
  clearImmediate(handle: never): void {
    this.timers.delete(handle);
  }
  #add(kind: string, run: () => void): object {
    const handle = {};
    this.timers.set(handle, { kind, run });
    return handle;
  }
  get kinds(): string[] {
    return [...this.timers.values()].map(({ kind }) => kind);
  }
}

describe('the clock of a host', () => {
  it('tells its times, random numbers and ids, without the dashes', () => {
    const clock = clockOf(new FakeHost());
    expect([clock.wall(), clock.monotonic(), clock.random(), clock.newId()]).toEqual([1_700_000_000_000, 12.5, 0.25, '0123456789ab']);
  });

  it('runs what is due at once when pending I/O had its turn, and the rest by a timer', () => {
    const host = new FakeHost();
    const clock = clockOf(host);
    for (const ms of [0, -5, 1, 250]) clock.after(ms, () => undefined);
    expect(host.kinds).toEqual(['immediate', 'immediate', 'timeout 1', 'timeout 250']);
  });

  it('never runs what was canceled', () => {
    const host = new FakeHost();
    const clock = clockOf(host);
    const cancels = [clock.after(0, () => undefined), clock.after(10, () => undefined)];
    for (const cancel of cancels) cancel();
    expect(host.kinds).toEqual([]);
  });

  it('sleeps by its timers', async () => {
    const host = new FakeHost();
    let woke = false;
    const slept = sleep(clockOf(host), 10).then(() => (woke = true));
    await Promise.resolve();
    expect(woke).toBe(false);
    for (const { run } of host.timers.values()) run();
    await slept;
    expect(woke).toBe(true);
  });

  it("fits Node's globals: ids of 32 digits, a time that does not go back", () => {
    const clock = clockOf(globalThis);
    expect(clock.newId()).toMatch(/^[0-9a-f]{32}$/);
    const first = clock.monotonic();
    expect(clock.monotonic()).toBeGreaterThanOrEqual(first);
    expect(clock.random()).toBeLessThan(1);
  });
});
