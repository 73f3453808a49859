import { expect, it } from '@jest/globals';
import { float64, json, type JobDefinition, type KeyedContext, KeyedMap, reducingState, type ReducingState, topic, utf8 } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Bid {
  readonly auction: string;
  readonly price: number;
}
const bids = topic('bids', { key: utf8, value: json<Bid>() });
const leaders = topic('leaders', { key: utf8, value: float64 });

// --- the example ---
/** The highest bid of each auction so far. */
class HighestBid extends KeyedMap<string, Bid, number> {
  #highest!: ReducingState<number>;

  override open(context: KeyedContext<string>): void {
    this.#highest = context.state(reducingState('highest', float64, Math.max));
  }

  override map({ price }: Bid): number {
    this.#highest.add(price);
    return this.#highest.get()!;
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('bids', bids)
      .keyBy(utf8, ({ auction }) => auction, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .map('highest-bid', () => new HighestBid())
      .sink('leaders', leaders),
};

it('The example of the reducing state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { bids: 1, leaders: 1 }, outputs: ['leaders'] });
  for (const price of [10, 30]) driver.pipe(bids, 'x', { auction: 'x', price });
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  for (const price of [20, 40]) driver.pipe(bids, 'x', { auction: 'x', price });
  driver.pipe(bids, 'y', { auction: 'y', price: 5 });
  await driver.checkpoint();
  expect(driver.read(leaders).map(({ key, value }) => [key, value])).toEqual([['x', 10], ['x', 30], ['x', 30], ['x', 40], ['y', 5]]);
  expectShownBy('reducing', import.meta.url);
});
