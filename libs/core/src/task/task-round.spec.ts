import { describe, expect, it } from '@jest/globals';
import { checkpointId } from '../model/brands.js';
import { TaskRound } from './task-round.js';

const [ONE, TWO, THREE] = [checkpointId(1), checkpointId(2), checkpointId(3)] as const;

describe('what rounds ask of a task', () => {
  it('is the barrier of the newest trigger, until it is frozen or its round has ended', () => {
    const round = new TaskRound();
    expect([round.trigger(ONE, 0), round.asked]).toEqual([true, 1]);
    expect([round.trigger(TWO, 0), round.asked]).toEqual([true, 2]);
    round.end(ONE);
    expect(round.asked).toBe(2);
    round.end(TWO);
    expect([round.asked, round.isBound]).toEqual([undefined, false]);
  });

  it('is a commit without a barrier once, and never in place of one', () => {
    const round = new TaskRound();
    round.askPlain();
    expect([round.takePlain(), round.takePlain()]).toEqual([true, false]);
    round.trigger(ONE, 0);
    round.askPlain();
    expect([round.asked, round.takePlain()]).toEqual([1, false]);
  });
});

describe('what a round binds a task to', () => {
  it('is to commit nothing from its freeze to its end, or to a later trigger (R1)', () => {
    const round = new TaskRound();
    round.trigger(ONE, 0);
    expect(round.isBound).toBe(false);
    round.frozen(ONE);
    round.acknowledged(ONE);
    expect([round.isBound, round.lastBarrier, round.trigger(ONE, 0)]).toEqual([true, 1, false]); // R3
    round.end(ONE);
    expect(round.isBound).toBe(false);
    round.trigger(TWO, 0);
    round.frozen(TWO);
    round.trigger(THREE, 0);
    expect([round.isBound, round.asked]).toEqual([false, 3]);
  });

  it('holds after a restart, too, where the barrier of the open round is committed, and not where it is not (R3)', () => {
    const committed = new TaskRound();
    committed.restored(TWO);
    committed.join(TWO);
    expect([committed.isBound, committed.trigger(TWO, 0)]).toEqual([true, false]);
    const behind = new TaskRound();
    behind.restored(ONE);
    behind.join(TWO);
    expect([behind.isBound, behind.trigger(TWO, 0)]).toEqual([false, true]);
  });
});

describe('alignment', () => {
  it('lasts from the trigger where there is no upstream task', () => {
    const round = new TaskRound();
    round.trigger(ONE, 100);
    expect(round.alignmentMs(130)).toBe(30);
  });

  it('lasts from the first barrier of the round that an upstream task sent, whatever came late of others', () => {
    const round = new TaskRound();
    round.onBarrier(TWO, 120);
    round.onBarrier(ONE, 125);
    round.onBarrier(TWO, 180);
    round.trigger(TWO, 110);
    expect([round.alignmentMs(200), new TaskRound().alignmentMs(200)]).toEqual([80, 0]);
  });
});
