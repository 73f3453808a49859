import { describe, expect, it } from '@jest/globals';
import { EpochEffects } from './epoch-effects.js';

const add = (effects: EpochEffects, topic: string, partition: number, value: string): void =>
  effects.writersOf(topic, 3)[partition]!.add(0, null, Buffer.from(value));
const appends = (effects: EpochEffects): unknown[] => effects.outputAppends().map(({ topic, partition, records }) => [topic, partition, records.count]);

describe('the effects of an epoch', () => {
  it('are empty at first, whatever topics it may write', () => {
    const effects = new EpochEffects();
    effects.writersOf('alerts', 3);
    expect([effects.outputBytes, effects.recordsOut, effects.recordsIn, effects.changes.count, appends(effects)]).toEqual([0, 0, 0, 0, []]);
  });

  it('hold outputs by topic and partition, and give out only those that something was written to', () => {
    const effects = new EpochEffects();
    add(effects, 'alerts', 2, 'abc');
    add(effects, 'alerts', 2, 'd');
    add(effects, 'alerts', 0, 'e');
    add(effects, 'other', 1, 'fg');
    expect(appends(effects)).toEqual([
      ['alerts', 0, 1],
      ['alerts', 2, 2],
      ['other', 1, 1],
    ]);
    expect([effects.outputBytes, effects.recordsOut]).toEqual([7, 4]);
  });

  it('give the same writers at every call, so that operators of one topic share them', () => {
    const effects = new EpochEffects();
    expect(effects.writersOf('alerts', 3)).toBe(effects.writersOf('alerts', 3));
    expect(effects.writersOf('alerts', 3)).not.toBe(effects.writersOf('other', 3));
  });

  it('are forgotten at clear, and their writers filled again', () => {
    const effects = new EpochEffects();
    add(effects, 'alerts', 1, 'a');
    effects.changes.add(0, Buffer.from('k'), null);
    effects.recordsIn = 9;
    const writers = effects.writersOf('alerts', 3);
    effects.clear();
    expect([effects.outputBytes, effects.recordsOut, effects.recordsIn, effects.changes.count, appends(effects)]).toEqual([0, 0, 0, 0, []]);
    expect(effects.writersOf('alerts', 3)).toBe(writers);
  });
});
