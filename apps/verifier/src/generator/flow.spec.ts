import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { Flow, type FlowOptions, type FlowSink } from './flow.js';
import { SensorWalk } from './sensor-walk.js';

class Sink implements FlowSink {
  readonly events: string[] = [];
  /** Temperatures of the open transaction. */
  #open: string[] = [];
  readonly committed: string[] = [];
  readonly aborted: string[] = [];

  send({ value }: { readonly value: string | null }): Promise<void> {
    this.events.push('send');
    this.#open.push(value!);
    return Promise.resolve();
  }

  endTransaction(how: 'commit' | 'abort'): Promise<void> {
    this.events.push(how);
    (how === 'commit' ? this.committed : this.aborted).push(...this.#open.splice(0));
    return Promise.resolve();
  }

  get sent(): number {
    return this.events.filter((event) => event === 'send').length;
  }
}

function flowOf(options: Partial<FlowOptions>) {
  const clock = new ManualClock();
  const sink = new Sink();
  const flow = new Flow(new SensorWalk({ seed: 1, sensors: 10 }), sink, {
    seed: 1,
    readings: 1_000,
    remainingMs: () => 0,
    mode: 'plain',
    clock,
    ...options,
  });
  const done = flow.run();
  return { clock, sink, flow, done };
}

describe('the flow', () => {
  it('spreads the readings evenly over the time that remains', async () => {
    const clock = new ManualClock();
    const end = clock.monotonic() + 10_000;
    const { sink, done } = flowOf({ clock, remainingMs: () => end - clock.monotonic() });
    for (const due of [250, 500, 750]) {
      await clock.advance(2_500);
      expect(Math.abs(sink.sent - due)).toBeLessThanOrEqual(3);
    }
    await clock.advance(2_600);
    await done;
    expect(sink.sent).toBe(1_000);
    expect(sink.events).not.toContain('commit');
  });

  it('goes on for as long as it is told that time remains', async () => {
    let remaining = 5_000;
    const { clock, sink, done } = flowOf({ remainingMs: () => remaining });
    await clock.advance(20_000);
    expect(sink.sent).toBeGreaterThan(900);
    expect(sink.sent).toBeLessThan(1_000);
    remaining = 0;
    await clock.advance(100);
    await done;
    expect(sink.sent).toBe(1_000);
  });

  it('ends where it is when it is stopped', async () => {
    const { clock, sink, flow, done } = flowOf({ remainingMs: () => 5_000 });
    await clock.advance(1_000);
    flow.stop();
    await clock.advance(100);
    await done;
    expect(sink.sent).toBe(flow.sent);
    expect(sink.sent).toBeLessThan(1_000);
  });

  it('in transactions commits every reading once, and aborts junk in some of them', async () => {
    const clock = new ManualClock();
    const end = clock.monotonic() + 3_000;
    const { sink, done } = flowOf({ clock, mode: 'transactions', remainingMs: () => end - clock.monotonic() });
    await clock.advance(3_500);
    await done;
    const walk = new SensorWalk({ seed: 1, sensors: 10 });
    expect(sink.committed).toEqual(Array.from({ length: 1_000 }, () => walk.next().value));
    expect(sink.aborted.length).toBeGreaterThan(50);
    expect(sink.aborted.every((value) => value.endsWith(',-273.1'))).toBe(true);
  });
});
