import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { sleep } from '@weir/core';
import { ManualClock } from './manual-clock.js';

describe('ManualClock', () => {
  it('runs timers in the order of their due time, and of their creation at one due time', async () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    clock.after(20, () => ran.push('20 a'));
    clock.after(10, () => ran.push('10'));
    clock.after(20, () => ran.push('20 b'));
    clock.after(0, () => ran.push('0 a'));
    clock.after(0, () => ran.push('0 b'));
    await clock.advance(0);
    expect(ran).toEqual(['0 a', '0 b']);
    await clock.advance(20);
    expect(ran).toEqual(['0 a', '0 b', '10', '20 a', '20 b']);
  });

  it('shows each timer its own due time, and the target after the advance', async () => {
    const clock = new ManualClock({ wall: 1_000 });
    const seen: number[][] = [];
    clock.after(5, () => seen.push([clock.monotonic(), clock.wall()]));
    clock.after(7, () => seen.push([clock.monotonic(), clock.wall()]));
    await clock.advance(100);
    expect(seen).toEqual([
      [5, 1_005],
      [7, 1_007],
    ]);
    expect(clock.monotonic()).toBe(100);
  });

  it('lets a chain of awaits finish before the next timer runs, however long it is', async () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    clock.after(1, () => {
      void (async () => {
        for (let i = 0; i < 1_000; i++) await Promise.resolve();
        await new Promise<void>((resolve) => process.nextTick(resolve));
        ran.push(`chain at ${clock.monotonic()}`);
      })();
    });
    clock.after(2, () => ran.push('next timer'));
    await clock.advance(2);
    expect(ran).toEqual(['chain at 1', 'next timer']);
  });

  it('runs timers that are set on the way, when they fall due within the advance', async () => {
    const clock = new ManualClock();
    let turns = 0;
    const loop = async (): Promise<void> => {
      for (;;) {
        await sleep(clock, 10);
        turns++;
      }
    };
    void loop();
    await clock.advance(95);
    expect(turns).toBe(9);
    await clock.advance(5);
    expect(turns).toBe(10);
  });

  it('never runs a timer during the call of after, nor once it was cancelled', async () => {
    const clock = new ManualClock();
    let ran = 0;
    const cancel = clock.after(0, () => ran++);
    clock.after(-5, () => ran++);
    expect(ran).toBe(0);
    cancel();
    cancel();
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(0);
    expect(ran).toBe(1);
  });

  it('makes advances wait for each other', async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    clock.after(5, () => seen.push(clock.monotonic()));
    clock.after(15, () => seen.push(clock.monotonic()));
    await Promise.all([clock.advance(10), clock.advance(10)]);
    expect(seen).toEqual([5, 15]);
    expect(clock.monotonic()).toBe(20);
  });

  it('lets the wall clock jump without touching timers or monotonic time', async () => {
    const clock = new ManualClock({ wall: 1_000_000 });
    let ran = false;
    clock.after(10, () => void (ran = true));
    clock.setWall(5);
    expect([clock.wall(), clock.monotonic(), ran]).toEqual([5, 0, false]);
    await clock.advance(10);
    expect([clock.wall(), clock.monotonic(), ran]).toEqual([15, 10, true]);
  });

  it('gives the same random numbers and ids for the same seed, and ids do not shift the random numbers', () => {
    const draw = (seed: number, ids: number): unknown => {
      const clock = new ManualClock({ seed });
      const made = Array.from({ length: ids }, () => clock.newId());
      return { made, numbers: [clock.random(), clock.random()] };
    };
    expect(draw(3, 2)).toEqual(draw(3, 2));
    expect(draw(3, 2)).toMatchObject({ numbers: (draw(3, 5) as { numbers: number[] }).numbers });
    expect(draw(4, 2)).not.toEqual(draw(3, 2));
  });

  it('makes ids of 32 hexadecimal digits, each once', () => {
    const clock = new ManualClock();
    const ids = Array.from({ length: 1_000 }, () => clock.newId());
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('lets just as much time pass as a promise needs', async () => {
    const clock = new ManualClock();
    clock.after(1_000, () => undefined);
    const work = async (): Promise<string> => {
      await sleep(clock, 30);
      await sleep(clock, 12);
      return 'done';
    };
    expect(await clock.settled(work())).toBe('done');
    expect(clock.monotonic()).toBe(42);
    await expect(clock.settled(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('moves time no further than the last of several waiters needs', async () => {
    const clock = new ManualClock();
    clock.after(1_000, () => undefined);
    await Promise.all([clock.settled(sleep(clock, 10)), clock.settled(sleep(clock, 10)), clock.settled(sleep(clock, 20))]);
    expect(clock.monotonic()).toBe(20);
  });

  it('says so when a promise can never settle, or not within the limit', async () => {
    const clock = new ManualClock();
    const never = new Promise(() => undefined);
    await expect(clock.settled(never)).rejects.toMatchObject({ code: 'NEVER_SETTLES', kind: 'invalid' });
    await expect(clock.settled(sleep(clock, 500), 499)).rejects.toMatchObject({ code: 'NEVER_SETTLES' });
  });

  it('says so when timers of 0 ms set each other without end', async () => {
    const clock = new ManualClock();
    const again = (): void => void clock.after(0, again);
    again();
    await expect(clock.advance(1)).rejects.toMatchObject({ code: 'CLOCK_STANDS_STILL' });
  });

  it('runs no timer of a process that was killed, and those of others', async () => {
    const clock = new ManualClock();
    const [one, other] = [clock.process(), clock.process()];
    const ran: string[] = [];
    one.after(1, () => ran.push('one, before'));
    one.after(2, () => ran.push('one, after'));
    other.after(2, () => ran.push('other'));
    await clock.advance(1);
    one.kill();
    one.after(0, () => ran.push('one, from the grave'));
    await clock.advance(5);
    expect(ran).toEqual(['one, before', 'other']);
  });
});

describe('real work that was given to the clock', () => {
  it('is waited for: no time passes before it has ended, and what it began (M5)', async () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    clock.after(10, () => {
      void clock.during(readFile(fileURLToPath(import.meta.url))).then(() => clock.during(readFile(fileURLToPath(import.meta.url)))).then(() => seen.push(`read at ${clock.monotonic()}`));
    });
    clock.after(11, () => seen.push('later'));
    await clock.advance(20);
    expect(seen).toEqual(['read at 10', 'later']);
  });

  it('that fails fails its caller alone', async () => {
    const clock = new ManualClock();
    const failed = clock.during(readFile('/never/was')).catch((thrown: NodeJS.ErrnoException) => thrown.code);
    await clock.advance(5);
    expect([await failed, clock.monotonic()]).toEqual(['ENOENT', 5]);
  });
});
