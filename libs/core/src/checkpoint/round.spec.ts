import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkpointId, type CheckpointId } from '../model/brands.js';
import { acknowledge, checkTimeout, idleRound, type Round, type RoundEnd, type RoundStep, taskFailed, trigger } from './round.js';

const at = (id: number): CheckpointId => checkpointId(id);
const open = (last: number, tasks: readonly string[], now = 0): Round<string> => trigger(idleRound<string>(at(last)), new Set(tasks), now)!;

describe('a round', () => {
  it('is triggered with the next number, over all tasks given', () => {
    expect(open(0, ['a', 'b'], 7)).toEqual({ state: 'OPEN', id: 1, since: 7, missing: new Set(['a', 'b']) });
    expect(open(41, ['a'])).toMatchObject({ id: 42 });
  });

  it('is not triggered over no tasks', () => {
    expect(trigger(idleRound<string>(at(0)), new Set(), 0)).toBeUndefined();
  });

  it('is not triggered while another is open (I5)', () => {
    expect(trigger(open(0, ['a']), new Set(['a']), 1)).toBeUndefined();
  });

  it('does not follow later changes of the set that it was triggered with', () => {
    const tasks = new Set(['a']);
    const round = trigger(idleRound<string>(at(0)), tasks, 0)!;
    tasks.add('b');
    expect(acknowledge(round, 'a', at(1), 5).end).toMatchObject({ outcome: 'completed' });
  });

  it('completes with the last acknowledgement, not before', () => {
    const first = acknowledge(open(0, ['a', 'b'], 10), 'a', at(1), 15);
    expect(first.end).toBeUndefined();
    expect(acknowledge(first.round, 'b', at(1), 30)).toEqual({
      round: { state: 'IDLE', last: 1 },
      end: { id: 1, outcome: 'completed', durationMs: 20 },
    });
  });

  it.each([
    ['a repeated one', 'a', 1],
    ['one of an older round', 'b', 0],
    ['one of a later round', 'b', 2],
    ['one of a task that is not in it', 'c', 1],
  ])('is not changed by a false acknowledgement: %s', (_, task, id) => {
    const { round } = acknowledge(open(0, ['a', 'b']), 'a', at(1), 1);
    const step = acknowledge(round, task, at(id), 2);
    expect(step.round).toBe(round);
    expect(step.end).toBeUndefined();
  });

  it('takes no acknowledgement after its end, however late it comes', () => {
    const idle = idleRound<string>(at(1));
    expect(acknowledge(idle, 'a', at(1), 9)).toEqual({ round: idle });
  });

  it('is abandoned at once when a task fails, which is no timeout (R4)', () => {
    const step = taskFailed(open(0, ['a', 'b'], 3), 8);
    expect(step).toEqual({ round: { state: 'IDLE', last: 1 }, end: { id: 1, outcome: 'abandoned', durationMs: 5 } });
    expect(taskFailed(step.round, 9)).toEqual({ round: step.round });
  });

  it('is given up at its timeout, not before', () => {
    const round = open(0, ['a'], 100);
    expect(checkTimeout(round, 50, 149)).toEqual({ round });
    expect(checkTimeout(round, 50, 150)).toEqual({ round: { state: 'IDLE', last: 1 }, end: { id: 1, outcome: 'timed-out', durationMs: 50 } });
    expect(checkTimeout(idleRound<string>(at(1)), 50, 10_000)).toEqual({ round: { state: 'IDLE', last: 1 } });
  });
});

// ---- any history ----

type Event =
  | { readonly type: 'trigger' | 'fail' | 'timeout' }
  | { readonly type: 'ack'; readonly task: number; readonly behind: number }
  | { readonly type: 'pass'; readonly ms: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Event>({ type: 'trigger' }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('ack' as const), task: fc.nat(3), behind: fc.constantFrom(0, 0, 0, 1, 2, -1) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ type: 'fail' }) },
  { weight: 1, arbitrary: fc.constant<Event>({ type: 'timeout' }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(60) }) },
);

const TASKS = [0, 1, 2];
const TIMEOUT_MS = 100;

/** What a round is to those who watch from outside: who acknowledged what, and what was told of its end. */
interface Watched {
  round: Round<number>;
  now: number;
  readonly triggered: number[];
  readonly ends: RoundEnd[];
  acknowledged: Set<number>;
}

function happen(watched: Watched, what: Event): void {
  const { round, now } = watched;
  const take = (step: RoundStep<number>): void => {
    watched.round = step.round;
    if (step.end !== undefined) watched.ends.push(step.end);
  };
  switch (what.type) {
    case 'trigger': {
      const opened = trigger(round, new Set(TASKS), now);
      if (opened === undefined) return;
      watched.round = opened;
      watched.triggered.push(opened.id);
      watched.acknowledged = new Set();
      return;
    }
    case 'ack': {
      const present = round.state === 'OPEN' ? round.id : round.last;
      if (round.state === 'OPEN' && what.behind === 0) watched.acknowledged.add(what.task);
      return take(acknowledge(round, what.task, at(present - what.behind), now));
    }
    case 'fail':
      return take(taskFailed(round, now));
    case 'timeout':
      return take(checkTimeout(round, TIMEOUT_MS, now));
    case 'pass':
      watched.now += what.ms;
  }
}

describe('any history of rounds', () => {
  it('ends each round once before the next is triggered (I5), complete exactly if all tasks acknowledged that very round', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const watched: Watched = { round: idleRound(at(5)), now: 0, triggered: [], ends: [], acknowledged: new Set() };
        for (const what of events) {
          const endsBefore = watched.ends.length;
          happen(watched, what);
          const end = watched.ends[endsBefore];
          if (end !== undefined) expect(end.outcome === 'completed').toBe(TASKS.every((task) => watched.acknowledged.has(task)));
          const openRounds = watched.triggered.length - watched.ends.length;
          if (openRounds !== (watched.round.state === 'OPEN' ? 1 : 0)) throw new Error(`${openRounds} rounds are open in ${watched.round.state}`);
        }
        expect(watched.triggered).toEqual(watched.triggered.map((_, i) => 6 + i));
        expect(watched.ends.map(({ id }) => id)).toEqual(watched.triggered.slice(0, watched.ends.length));
        expect(watched.ends.every(({ durationMs }) => durationMs >= 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
