import { expect, it } from '@jest/globals';
import { type Collector, float64, json, type JobDefinition, KeyedFlatMap, type KeyedContext, topic, utf8, valueState, type ValueState } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Reading {
  readonly id: string;
  readonly temperature: number;
}
const readings = topic('readings', { key: utf8, value: json<Reading>() });
const jumps = topic('jumps', { key: utf8, value: json<{ from: number; to: number }>() });

// --- the example ---
class TemperatureJump extends KeyedFlatMap<string, Reading, { from: number; to: number }> {
  #last!: ValueState<number>;

  override open(context: KeyedContext<string>): void {
    this.#last = context.state(valueState('last-temperature', float64));
  }

  override flatMap({ temperature }: Reading, out: Collector<{ from: number; to: number }>): void {
    const last = this.#last.value(); // undefined before the key's first record
    this.#last.update(temperature);
    if (last !== undefined && Math.abs(temperature - last) >= 10) out.collect({ from: last, to: temperature });
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', readings)
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap('temperature-jump', () => new TemperatureJump())
      .sink('jumps', jumps),
};

it('The example of the value state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { readings: 1, jumps: 1 }, outputs: ['jumps'] });
  driver.pipe(readings, 'a', { id: 'a', temperature: 20 });
  driver.pipe(readings, 'b', { id: 'b', temperature: 35 });
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  driver.pipe(readings, 'a', { id: 'a', temperature: 31 });
  driver.pipe(readings, 'b', { id: 'b', temperature: 36 });
  await driver.checkpoint();
  expect(driver.read(jumps).map(({ key, value }) => [key, value])).toEqual([['a', { from: 20, to: 31 }]]);
  expectShownBy('value', import.meta.url);
});
