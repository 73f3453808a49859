import { describe, expect, it } from '@jest/globals';
import type { Append, AppendResult, LogAppender } from '../ports/log.js';
import { AtOnceOutputs } from './at-once-outputs.js';
import { EpochEffects } from './epoch-effects.js';

/** An appender whose answers a spec gives. */
class HeldAppender implements LogAppender {
  readonly sent: string[] = [];
  readonly answers: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  closed = false;

  append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    this.sent.push(appends.map(({ topic, partition, records }) => `${topic}-${partition}:${records.count}`).join(' '));
    return new Promise((resolve, reject) => this.answers.push({ resolve: () => resolve([]), reject }));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

class Rig {
  readonly appender = new HeldAppender();
  readonly effects = new EpochEffects();
  wakes = 0;
  readonly outputs = new AtOnceOutputs(this.appender, { wake: () => this.wakes++, explain: (error) => new Error(`explained: ${(error as Error).message}`) });

  put(count = 1): void {
    for (let i = 0; i < count; i++) this.effects.writersOf('out', 1)[0]!.add(0, null, Buffer.from('value'));
  }

  async answer(error?: Error): Promise<void> {
    const { resolve, reject } = this.appender.answers.shift()!;
    if (error === undefined) resolve();
    else reject(error);
    await settle();
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

describe('outputs that go out at once', () => {
  it('go one append after another; what comes while one is under way waits in the epoch (O1, O3)', async () => {
    const rig = new Rig();
    expect(rig.outputs.offer(rig.effects)).toBe(false);
    rig.put(2);
    expect(rig.outputs.offer(rig.effects)).toBe(true);
    rig.put(3);
    expect([rig.outputs.offer(rig.effects), rig.effects.hasOutputs, rig.effects.recordsOut]).toEqual([false, true, 5]);
    await settle();
    expect([rig.appender.sent, rig.wakes]).toEqual([['out-0:2'], 0]);
    await rig.answer();
    expect([rig.wakes, rig.outputs.offer(rig.effects)]).toEqual([1, true]);
    await settle();
    expect([rig.appender.sent, rig.effects.recordsOut]).toEqual([['out-0:2', 'out-0:3'], 5]);
  });

  it('are settled once all of them are acknowledged, the last of an epoch too (O2)', async () => {
    const rig = new Rig();
    rig.put();
    rig.outputs.offer(rig.effects);
    rig.put(4);
    rig.outputs.flush(rig.effects);
    let settled = false;
    void rig.outputs.settled().then(() => (settled = true));
    await settle();
    await rig.answer();
    expect([rig.appender.sent, settled]).toEqual([['out-0:1', 'out-0:4'], false]);
    await rig.answer();
    expect(settled).toBe(true);
  });

  it('end the task once one is refused, and none follows it (O1)', async () => {
    const rig = new Rig();
    rig.put();
    rig.outputs.offer(rig.effects);
    rig.put();
    rig.outputs.flush(rig.effects);
    await settle();
    await rig.answer(new Error('no'));
    await expect(rig.outputs.settled()).rejects.toThrow('explained: no');
    expect(() => rig.outputs.offer(rig.effects)).toThrow('explained: no');
    expect([rig.appender.sent, rig.wakes]).toEqual([['out-0:1'], 1]);
    await rig.outputs.close();
    expect(rig.appender.closed).toBe(true);
  });
});
