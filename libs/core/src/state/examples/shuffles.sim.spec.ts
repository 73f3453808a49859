import { expect, it } from '@jest/globals';
import {
  int32,
  json,
  type JobDefinition,
  topic,
  utf8,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Sale {
  readonly shop: string;
  readonly city: string;
  readonly cents: number;
}
interface CityTotal {
  readonly city: string;
  readonly cents: number;
}
const CODEC = json<Sale>();
const tills = topic('tills', { key: utf8, value: CODEC });
const web = topic('web', { key: utf8, value: CODEC });
const totals = topic('totals', { key: utf8, value: json<CityTotal>() });

// --- the example ---
/** Sales of two topics; per shop the first of a day's many small ones are left out, and the rest is summed up per city. */
const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('tills', tills)
      .union(streams.source('web', web))
      .keyBy(utf8, ({ shop }) => shop, { name: 'by-shop' }) // a shuffle: two topics, so they cannot both lie by it
      .filterWithState('from-100-on', int32, ({ cents }, before = 0) => ({ state: Math.min(before + cents, 100), keep: before >= 100 }))
      .keyBy(utf8, ({ city }) => city, { name: 'by-city' }) // another one
      .mapWithState<number, CityTotal>('total', int32, ({ city, cents }, before = 0) => ({
        state: before + cents,
        value: { city, cents: before + cents },
      }))
      .sink('totals', totals),
};
// --- its end ---

it('The example of the shuffles page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { tills: 3, web: 3, totals: 1 }, outputs: ['totals'] });
  driver.pipe(tills, null, { shop: 's1', city: 'Bern', cents: 100 }, { timestamp: 5 });
  driver.pipe(web, null, { shop: 's2', city: 'Bern', cents: 100 }, { timestamp: 6 });
  await driver.advance(4_000);
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  driver.pipe(tills, null, { shop: 's1', city: 'Bern', cents: 7 }, { timestamp: 7, headers: [{ key: 'trace', value: Buffer.from('x') }] });
  await driver.until(() => driver.readAll(totals).length === 1);
  driver.pipe(web, null, { shop: 's2', city: 'Bern', cents: 8 }, { timestamp: 8 });
  await driver.until(() => driver.readAll(totals).length === 2);
  expect(driver.readAll(totals).map(({ key, value, timestamp }) => [key, value!.cents, timestamp])).toEqual([['Bern', 7, 7], ['Bern', 15, 8]]);
  expect(driver.readAll(totals)[0]!.headers.map(({ key }) => key)).toEqual(['trace']);
  expectShownBy('shuffles', import.meta.url);
});
