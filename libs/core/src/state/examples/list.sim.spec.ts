import { expect, it } from '@jest/globals';
import { type Collector, json, type JobDefinition, KeyedFlatMap, type KeyedContext, listState, type ListState, topic, utf8 } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface OrderLine {
  readonly order: string;
  readonly item: string;
  readonly isLast?: boolean;
}
const lines = topic('lines', { key: utf8, value: json<OrderLine>() });
const orders = topic('orders', { key: utf8, value: json<readonly string[]>() });

// --- the example ---
/** Gathers the lines of an order until the last one has come. */
class GatherOrder extends KeyedFlatMap<string, OrderLine, readonly string[]> {
  #items!: ListState<string>;

  override open(context: KeyedContext<string>): void {
    this.#items = context.state(listState('items', utf8, { ttl: { ms: 86_400_000 } }));
  }

  override flatMap({ item, isLast }: OrderLine, out: Collector<readonly string[]>): void {
    this.#items.add(item); // one write, however long the order is
    if (isLast !== true) return;
    out.collect(this.#items.get());
    this.#items.clear();
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('lines', lines)
      .keyBy(utf8, ({ order }) => order, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap('gather-order', () => new GatherOrder())
      .sink('orders', orders),
};

it('The example of the list state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { lines: 1, orders: 1 }, outputs: ['orders'] });
  for (const item of ['tea', 'milk']) driver.pipe(lines, 'o1', { order: 'o1', item });
  driver.pipe(lines, 'o2', { order: 'o2', item: 'ink' });
  await driver.checkpoint();
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  driver.pipe(lines, 'o1', { order: 'o1', item: 'sugar', isLast: true });
  await driver.checkpoint();
  expect(driver.read(orders).map(({ key, value }) => [key, value])).toEqual([['o1', ['tea', 'milk', 'sugar']]]);
  const committed = driver.committedState('gather-order', utf8);
  expect(['o1', 'o2'].map((order) => committed.list(listState('items', utf8), order))).toEqual([[], ['ink']]);
  expectShownBy('list', import.meta.url);
});
