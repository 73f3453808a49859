import { expect, it } from '@jest/globals';
import { type Collector, int32, json, type JobDefinition, KeyedFlatMap, type KeyedContext, mapState, type MapState, topic, utf8 } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface View {
  readonly user: string;
  readonly page: string;
}
const views = topic('views', { key: utf8, value: json<View>() });
const summaries = topic('summaries', { key: utf8, value: json<string>() });

// --- the example ---
/** Counts each user's views by page, and lists them on demand. */
class CountPages extends KeyedFlatMap<string, View, string> {
  #counts!: MapState<string, number>;

  override open(context: KeyedContext<string>): void {
    this.#counts = context.state(mapState('views-by-page', utf8, int32));
  }

  override flatMap({ page }: View, out: Collector<string>): void {
    if (page !== '/summary') {
      this.#counts.put(page, (this.#counts.get(page) ?? 0) + 1); // reads and writes this one entry
      return;
    }
    // In the order of the encoded keys; a page at a time, so it may be any number of them.
    for (const [seen, count] of this.#counts.entries()) out.collect(`${seen} ${count}`);
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('views', views)
      .keyBy(utf8, ({ user }) => user, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap('count-pages', () => new CountPages())
      .sink('summaries', summaries),
};

it('The example of the map state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { views: 1, summaries: 1 }, outputs: ['summaries'] });
  for (const page of ['/b', '/a', '/b']) driver.pipe(views, 'u', { user: 'u', page });
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  for (const page of ['/b', '/c', '/summary']) driver.pipe(views, 'u', { user: 'u', page });
  driver.pipe(views, 'other', { user: 'other', page: '/summary' });
  await driver.checkpoint();
  expect(driver.read(summaries).map(({ key, value }) => [key, value])).toEqual([
    ['u', '/a 1'],
    ['u', '/b 3'],
    ['u', '/c 1'],
  ]);
  expectShownBy('map', import.meta.url);
});
