import { expect, it } from '@jest/globals';
import {
  type BroadcastState,
  broadcastState,
  type Collector,
  float64,
  json,
  type JobDefinition,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  topic,
  utf8,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Reading {
  readonly id: string;
  readonly temperature: number;
}
interface Limit {
  readonly id: string;
  readonly max: number;
}
const readings = topic('readings', { key: utf8, value: json<Reading>() });
const limits = topic('limits', { key: utf8, value: json<Limit>() });
const alarms = topic('alarms', { key: utf8, value: utf8 });

// --- the example ---
/** Holds readings against limits that anyone may change while the job runs. */
class LimitCheck extends KeyedBroadcastProcess<string, Reading, Limit, string> {
  #limits!: BroadcastState<string, number>;

  override open(context: KeyedBroadcastContext<string>): void {
    this.#limits = context.broadcastState(broadcastState('limits', utf8, float64));
  }

  override process({ id, temperature }: Reading, out: Collector<string>): void {
    const max = this.#limits.get(id) ?? 100; // read-only here, and the same in every task
    if (temperature > max) out.collect(`${temperature} is above ${max}`);
  }

  override processBroadcast({ id, max }: Limit): void {
    this.#limits.put(id, max); // every task does this
  }
}

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', readings)
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .connect(streams.source('limits', limits).broadcast())
      .process('limit-check', () => new LimitCheck())
      .sink('alarms', alarms),
};
// --- its end ---

it('The example of the broadcast state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { readings: 4, limits: 1, alarms: 1 }, outputs: ['alarms', 'limits'] });
  const ids = ['a', 'b', 'c', 'd'];
  for (const id of ids) driver.pipe(limits, id, { id, max: 20 });
  await driver.advance(2_000);
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  for (const id of ids) driver.pipe(readings, id, { id, temperature: 30 });
  await driver.checkpoint();
  expect(driver.read(alarms).map(({ key, value }) => [key, value]).sort()).toEqual(ids.map((id) => [id, '30 is above 20']));
  expectShownBy('broadcast', import.meta.url);
});
