import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TimerQueue } from './timer-queue.js';

describe('a queue of timers', () => {
  it('gives the earliest first, and as many as were put in, whatever comes in between', () => {
    const step = fc.oneof(fc.nat(50), fc.constant('pop' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new TimerQueue<{ readonly at: number }>();
        const model: number[] = [];
        for (const each of steps) {
          if (each === 'pop') {
            expect(queue.pop()?.at).toBe(model.shift());
          } else {
            queue.push({ at: each });
            model.push(each);
            model.sort((a, b) => a - b);
          }
          expect([queue.size, queue.peek()?.at]).toEqual([model.length, model[0]]);
        }
      }),
    );
  });

  it('gives each item back, also where times are equal', () => {
    const queue = new TimerQueue<{ readonly at: number; readonly name: string }>();
    for (const name of ['a', 'b', 'c', 'd']) queue.push({ at: 5, name });
    expect(new Set(Array.from({ length: 4 }, () => queue.pop()?.name))).toEqual(new Set(['a', 'b', 'c', 'd']));
    expect(queue.pop()).toBeUndefined();
  });
});
