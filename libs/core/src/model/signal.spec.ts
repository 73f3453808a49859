import { describe, expect, it } from '@jest/globals';
import { Signal } from './signal.js';

/** Whether a promise has settled once all continuations ran. */
async function settled(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return done;
}

describe('a signal', () => {
  it('wakes the one that waits', async () => {
    const signal = new Signal();
    const waiting = signal.wait();
    expect(await settled(waiting)).toBe(false);
    signal.raise();
    expect(await settled(waiting)).toBe(true);
  });

  it('keeps a raise that nobody waited for: no wake-up is lost between looking and waiting', async () => {
    const signal = new Signal();
    signal.raise();
    expect(await settled(signal.wait())).toBe(true);
  });

  it('is lowered by the wait, and keeps several raises as one', async () => {
    const signal = new Signal();
    signal.raise();
    signal.raise();
    await signal.wait();
    expect(await settled(signal.wait())).toBe(false);
  });

  it('is lowered when it wakes a waiter', async () => {
    const signal = new Signal();
    const waiting = signal.wait();
    signal.raise();
    await waiting;
    expect(await settled(signal.wait())).toBe(false);
  });

  it('can be raised again before the one it woke has run', async () => {
    const signal = new Signal();
    const waiting = signal.wait();
    signal.raise();
    signal.raise();
    await waiting;
    expect(await settled(signal.wait())).toBe(true);
  });

  it('can be handed out as a callback', async () => {
    const signal = new Signal();
    const { raise } = signal;
    raise();
    expect(await settled(signal.wait())).toBe(true);
  });
});
