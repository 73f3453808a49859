import { describe, expect, it } from '@jest/globals';
import { int32, float64, json, utf8 } from '../codec/primitives.js';
import { list, optional, struct, tuple } from '../codec/composite.js';
import type { Decoded } from '../codec/codec.js';
import type { KeyedContext } from '../topology/functions.js';
import type { AggregatingState } from './aggregating-state.js';
import { aggregatingState, listState, mapState, reducingState, valueState } from './descriptors.js';
import type { ListState } from './list-state.js';
import type { MapState } from './map-state.js';
import type { ReducingState } from './reducing-state.js';
import type { ValueState } from './value-state.js';

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Same<A, B> extends true ? [] : ['not the same type']): void => undefined;

const mean = {
  createAccumulator: () => ({ sum: 0, count: 0 }),
  add: (value: number, { sum, count }: { sum: number; count: number }) => ({ sum: sum + value, count: count + 1 }),
  getResult: ({ sum, count }: { sum: number; count: number }) => `${sum / count}`,
  merge: (a: { sum: number; count: number }, b: { sum: number; count: number }) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};

/** Never run: `npm run typecheck` is what tests it. A line that is expected to be an error and is none is an error itself. */
export function typesOfKeyedState(context: KeyedContext<string>): void {
  const value = context.state(valueState('v', float64));
  same<typeof value, ValueState<number>>();
  same<ReturnType<typeof value.value>, number | undefined>();
  // @ts-expect-error -- a value of another type
  value.update('1');
  // @ts-expect-error -- clear() removes a value
  value.update(undefined);
  // @ts-expect-error -- there may be none
  same<ReturnType<typeof value.value>, number>();

  const counted = context.state(valueState('c', int32, { default: 0 }));
  same<ReturnType<typeof counted.value>, number>();
  counted.update(counted.value() + 1);
  // @ts-expect-error -- a default of another type
  valueState('c', int32, { default: '0' });
  // @ts-expect-error -- no such update mode
  valueState('c', int32, { ttl: { ms: 1, update: 'onRead' } });

  const lines = context.state(listState('l', utf8));
  same<typeof lines, ListState<string>>();
  // @ts-expect-error -- an element of another type
  lines.add(1);
  // @ts-expect-error -- elements of another type
  lines.update([1]);
  // @ts-expect-error -- a list is no map
  lines satisfies MapState<string, number>;

  const counts = context.state(mapState('m', utf8, int32));
  same<typeof counts, MapState<string, number>>();
  // @ts-expect-error -- a key of another type
  counts.get(1);
  // @ts-expect-error -- a value of another type
  counts.put('a', '1');
  // @ts-expect-error -- there may be none
  counts.get('a').toFixed();
  // @ts-expect-error -- text is no number
  context.state(mapState('m', utf8, int32)) satisfies MapState<number, number>;

  const sum = context.state(reducingState('r', float64, (a, b) => a + b));
  same<typeof sum, ReducingState<number>>();
  // @ts-expect-error -- a value of another type
  sum.add('1');
  // @ts-expect-error -- the result has the values' type
  reducingState('r', float64, (a, b) => `${a}${b}`);

  const average = context.state(aggregatingState('a', json<{ sum: number; count: number }>(), mean));
  same<typeof average, AggregatingState<number, { sum: number; count: number }, string>>();
  same<ReturnType<typeof average.get>, string | undefined>();
  // @ts-expect-error -- a value of another type
  average.add('1');
  // @ts-expect-error -- the codec is for another accumulator
  aggregatingState('a', float64, mean);

  same<ReturnType<typeof context.currentKey>, string>();
}

export function typesOfCodecs(): void {
  const pair = tuple(utf8, list(int32));
  same<Decoded<typeof pair>, readonly [string, readonly number[]]>();
  const reading = struct({ id: utf8, note: optional(utf8) });
  // @ts-expect-error -- a field less
  valueState('r', reading, { default: { id: 'a' } });
  same<Decoded<typeof reading>, { readonly id: string; readonly note: string | undefined }>();
  // @ts-expect-error -- a part of another type
  valueState('p', pair, { default: ['a', ['b']] });
}

describe('the types of keyed state', () => {
  it('are tested by the type checker; here they are only seen to be what it saw', () => {
    expect([typesOfKeyedState.length, typesOfCodecs.length]).toEqual([1, 0]);
  });
});
