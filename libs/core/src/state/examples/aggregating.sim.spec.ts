import { expect, it } from '@jest/globals';
import {
  type AggregateFunction,
  aggregatingState,
  type AggregatingState,
  float64,
  int32,
  json,
  type JobDefinition,
  type KeyedContext,
  KeyedMap,
  struct,
  topic,
  utf8,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Call {
  readonly service: string;
  readonly ms: number;
}
const calls = topic('calls', { key: utf8, value: json<Call>() });
const means = topic('means', { key: utf8, value: float64 });

// --- the example ---
interface Mean {
  readonly sum: number;
  readonly count: number;
}

const mean: AggregateFunction<number, Mean, number> = {
  createAccumulator: () => ({ sum: 0, count: 0 }),
  add: (value, { sum, count }) => ({ sum: sum + value, count: count + 1 }),
  getResult: ({ sum, count }) => sum / count,
  merge: (a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};

/** The mean duration of each service's calls. */
class MeanDuration extends KeyedMap<string, Call, number> {
  #mean!: AggregatingState<number, Mean, number>;

  override open(context: KeyedContext<string>): void {
    this.#mean = context.state(aggregatingState('mean', struct({ sum: float64, count: int32 }), mean));
  }

  override map({ ms }: Call): number {
    this.#mean.add(ms);
    return this.#mean.get()!;
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('calls', calls)
      .keyBy(utf8, ({ service }) => service, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .map('mean-duration', () => new MeanDuration())
      .sink('means', means),
};

it('The example of the aggregating state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { calls: 1, means: 1 }, outputs: ['means'] });
  for (const ms of [10, 20]) driver.pipe(calls, 'a', { service: 'a', ms });
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  driver.pipe(calls, 'a', { service: 'a', ms: 60 });
  driver.pipe(calls, 'b', { service: 'b', ms: 1 });
  await driver.checkpoint();
  expect(driver.read(means).map(({ key, value }) => [key, value])).toEqual([['a', 10], ['a', 15], ['a', 30], ['b', 1]]);
  expectShownBy('aggregating', import.meta.url);
});
