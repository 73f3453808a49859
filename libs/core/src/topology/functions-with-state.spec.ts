import { describe, expect, it } from '@jest/globals';
import { float64 } from '../codec/primitives.js';
import type { ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/value-state.js';
import type { KeyedContext, KeyedFunction } from './functions.js';
import { filterWithState, flatMapWithState, mapWithState } from './functions-with-state.js';

const unused = (): never => {
  throw new Error('not used by the shorthands');
};

/** A context whose key a spec sets, with a state per key in a Map; counts what is written. */
class Keys {
  key = 'a';
  readonly values = new Map<string, unknown>();
  readonly acts: string[] = [];
  readonly declared: string[] = [];

  open(fn: KeyedFunction<string>): void {
    const context: KeyedContext<string> = {
      job: 'job',
      operator: 'op',
      taskIndex: 0,
      parallelism: 1,
      attempt: 0,
      timestamp: () => 0,
      record: { topic: 'in', partition: 0, offset: 0, timestamp: 0, keyAs: unused, keyBytes: unused, headers: unused },
      metrics: { counter: unused, gauge: unused, histogram: unused, meter: unused },
      currentKey: () => this.key,
      timerService: { currentProcessingTime: unused, registerProcessingTimeTimer: unused, deleteProcessingTimeTimer: unused },
      operatorState: unused,
      output: unused,
      state: (<T>(descriptor: ValueStateDescriptor<T>) => {
        this.declared.push(`${descriptor.kind} ${descriptor.name} ${descriptor.codec.id}`);
        return this.#state<T>();
      }) as KeyedContext<string>['state'],
    };
    fn.open(context);
  }

  #state<T>(): ValueState<T> {
    return {
      value: () => this.values.get(this.key) as T | undefined,
      update: (value) => {
        this.acts.push(`update ${String(value)}`);
        this.values.set(this.key, value);
      },
      clear: () => {
        this.acts.push('clear');
        this.values.delete(this.key);
      },
    };
  }
}

describe('mapWithState', () => {
  it('gives the function value, state and key, keeps the state that it returns, and passes its value on', () => {
    const keys = new Keys();
    const seen: unknown[] = [];
    const fn = mapWithState<string, number, number, string>(float64, (value, state, key) => {
      seen.push([value, state, key]);
      return { state: (state ?? 0) + value, value: `${key}${value}` };
    });
    keys.open(fn);
    expect([fn.map(1), fn.map(2)]).toEqual(['a1', 'a2']);
    keys.key = 'b';
    expect(fn.map(5)).toBe('b5');
    expect(seen).toEqual([
      [1, undefined, 'a'],
      [2, 1, 'a'],
      [5, undefined, 'b'],
    ]);
    expect(Object.fromEntries(keys.values)).toEqual({ a: 3, b: 5 });
  });

  it('declares one value state under the name that its stored keys always had', () => {
    const keys = new Keys();
    keys.open(mapWithState(float64, () => ({ state: 1, value: 1 })));
    expect(keys.declared).toEqual(['value state float64']);
  });
});

describe('flatMapWithState', () => {
  it('gives out every value in order, and clears the state where undefined is returned', () => {
    const keys = new Keys();
    const fn = flatMapWithState<string, number, number, number>(float64, (value, state) => ({
      state: state === undefined ? value : undefined,
      values: Array.from({ length: value }, (_, i) => i),
    }));
    keys.open(fn);
    const out: number[] = [];
    const collector = { collect: (value: number) => void out.push(value) };
    fn.flatMap(3, collector);
    fn.flatMap(0, collector);
    expect(out).toEqual([0, 1, 2]);
    expect(keys.acts).toEqual(['update 3', 'clear']);
  });

  it('has written the state before the first value goes on, so that what reads it next sees it', () => {
    const keys = new Keys();
    const fn = flatMapWithState<string, number, number, number>(float64, (value) => ({ state: value, values: [value] }));
    keys.open(fn);
    let seen: unknown;
    fn.flatMap(7, { collect: () => (seen = keys.values.get('a')) });
    expect(seen).toBe(7);
  });
});

describe('filterWithState', () => {
  it('keeps what it answers true for, and the state either way', () => {
    const keys = new Keys();
    const fn = filterWithState<string, number, number>(float64, (value, last) => ({ state: value, keep: last !== undefined && value > last }));
    keys.open(fn);
    expect([1, 2, 2, 3].map((value) => fn.filter(value))).toEqual([false, true, false, true]);
    expect(keys.values.get('a')).toBe(3);
  });
});

describe('each call', () => {
  it('makes a function with a state handle of its own', () => {
    const [first, second] = [new Keys(), new Keys()];
    const make = () => filterWithState<string, number, number>(float64, (value) => ({ state: value, keep: true }));
    const [a, b] = [make(), make()];
    first.open(a);
    second.open(b);
    a.filter(1);
    b.filter(2);
    expect([first.values.get('a'), second.values.get('a')]).toEqual([1, 2]);
  });
});
