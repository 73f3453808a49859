import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkpointId } from '../model/brands.js';
import { failuresAfter, nextStep, type RoundFacts, type TaskFacts } from './round.js';

const up = (barrier: number): TaskFacts => ({ isUp: true, barrier: checkpointId(barrier) });
const down = (barrier: number): TaskFacts => ({ isUp: false, barrier: checkpointId(barrier) });
const open = (id: number): RoundFacts['round'] => ({ id: checkpointId(id), isOpen: true });
const ended = (id: number): RoundFacts['round'] => ({ id: checkpointId(id), isOpen: false });
const step = (facts: Partial<RoundFacts>): ReturnType<typeof nextStep> =>
  nextStep({ enabled: true, round: undefined, tasks: [], now: 1_000, openSince: 1_000, dueAt: 1_000, timeoutMs: 5_000, ...facts });

describe('the next round', () => {
  it('is triggered when it is due and every task is up', () => {
    expect(step({ tasks: [up(0), up(0)] })).toEqual({ type: 'trigger', id: 1 });
    expect(step({ round: ended(7), tasks: [up(7), up(7)] })).toEqual({ type: 'trigger', id: 8 });
  });

  it('is waited for until it is due', () => {
    expect(step({ tasks: [up(0)], dueAt: 1_300 })).toEqual({ type: 'wait', until: 1_300 });
  });

  it('is not triggered while a task is down, however late it is (R4), nor without tasks', () => {
    expect(step({ round: ended(7), tasks: [up(7), down(7)], dueAt: 0 })).toEqual({ type: 'wait', until: undefined });
    expect(step({})).toEqual({ type: 'wait', until: undefined });
  });

  it('has an id above every barrier that was ever committed, even if the control topic was lost', () => {
    expect(step({ tasks: [up(3), up(41)] })).toEqual({ type: 'trigger', id: 42 });
    expect(step({ round: ended(2), tasks: [up(3), up(1)] })).toEqual({ type: 'trigger', id: 4 });
  });
});

describe('an open round', () => {
  it('is complete when every task has committed its barrier, even one that went down since', () => {
    expect(step({ round: open(8), tasks: [up(8), down(8)] })).toEqual({ type: 'end', id: 8, outcome: 'completed' });
  });

  it('is abandoned at once when a task that has not committed its barrier, or any other, is down (R4)', () => {
    expect(step({ round: open(8), tasks: [up(8), down(7)] })).toEqual({ type: 'end', id: 8, outcome: 'abandoned' });
    expect(step({ round: open(8), tasks: [up(7), down(8)] })).toEqual({ type: 'end', id: 8, outcome: 'abandoned' });
  });

  it('is given up at its timeout, and not before', () => {
    const facts = { round: open(8), tasks: [up(8), up(7)], openSince: 1_000 };
    expect(step({ ...facts, now: 5_999 })).toEqual({ type: 'wait', until: 6_000 });
    expect(step({ ...facts, now: 6_000 })).toEqual({ type: 'end', id: 8, outcome: 'timed-out' });
  });

  it('keeps every other from beginning (I5)', () => {
    expect(step({ round: open(8), tasks: [up(7)], dueAt: 0 }).type).toBe('wait');
  });
});

describe('where checkpointing is off', () => {
  it('no round is triggered, and one that is open from before is abandoned', () => {
    expect(step({ enabled: false, tasks: [up(0)], dueAt: 0 })).toEqual({ type: 'wait', until: undefined });
    expect(step({ enabled: false, round: open(8), tasks: [up(7), up(8)] })).toEqual({ type: 'end', id: 8, outcome: 'abandoned' });
  });
});

describe('failed checkpoints in a row', () => {
  it('are those that timed out; one that is complete begins anew, and one that is abandoned changes nothing (R4)', () => {
    expect(failuresAfter('timed-out', 1, 5)).toEqual({ failures: 2, failsOver: false });
    expect(failuresAfter('abandoned', 1, 0)).toEqual({ failures: 1, failsOver: false });
    expect(failuresAfter('completed', 1, 5)).toEqual({ failures: 0, failsOver: false });
  });

  it('fail over with the first that is not tolerated, and are forgotten then', () => {
    expect(failuresAfter('timed-out', 0, 0)).toEqual({ failures: 0, failsOver: true });
    expect(failuresAfter('timed-out', 1, 2)).toEqual({ failures: 2, failsOver: false });
    expect(failuresAfter('timed-out', 2, 2)).toEqual({ failures: 0, failsOver: true });
  });
});

describe('any run of rounds', () => {
  it('never triggers over an open one, never an id twice, and completes none that a task has not committed', () => {
    const act = fc.record({ task: fc.nat(2), does: fc.constantFrom('commits', 'fails', 'starts', 'time passes') });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60, size: 'max' }), (acts) => {
        const tasks = [
          { isUp: true, barrier: 0 },
          { isUp: true, barrier: 0 },
          { isUp: true, barrier: 0 },
        ];
        let round: RoundFacts['round'];
        let now = 0;
        let since = 0;
        const triggered: number[] = [];
        for (const { task, does } of acts) {
          const own = tasks[task]!;
          if (does === 'commits' && own.isUp && round !== undefined) own.barrier = round.id;
          if (does === 'fails') own.isUp = false;
          if (does === 'starts') own.isUp = true;
          if (does === 'time passes') now += 400;
          const made = nextStep({ enabled: true, round, tasks: tasks.map(({ isUp, barrier }) => ({ isUp, barrier: checkpointId(barrier) })), now, openSince: since, dueAt: 0, timeoutMs: 1_000 });
          if (made.type === 'trigger') {
            expect(round?.isOpen ?? false).toBe(false);
            expect(made.id).toBeGreaterThan(triggered.at(-1) ?? 0);
            expect(tasks.every(({ isUp }) => isUp)).toBe(true);
            triggered.push(made.id);
            round = { id: made.id, isOpen: true };
            since = now;
          } else if (made.type === 'end') {
            expect(round).toEqual({ id: made.id, isOpen: true });
            if (made.outcome === 'completed') expect(tasks.every(({ barrier }) => barrier >= made.id)).toBe(true);
            round = { id: made.id, isOpen: false };
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
