import { expect, it } from '@jest/globals';
import { type JobDefinition, readDeadLetter, textCodec, topic, utf8 } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Order {
  readonly customer: string;
  readonly amount: number;
}
const orderLine = textCodec<Order>({
  id: 'order-line',
  encode: ({ customer, amount }) => `${customer},${amount}`,
  decode: (line) => {
    const [customer, amount, ...rest] = line.split(',');
    if (amount === undefined || rest.length > 0) throw new Error('not 2 fields');
    return { customer: customer!, amount: Number(amount) };
  },
});
const orders = topic('orders', { key: utf8, value: orderLine });
const lines = topic('orders', { key: utf8, value: utf8 });
const totals = topic('totals', { key: utf8, value: utf8 });
const dead = topic('orders-dead', { key: utf8, value: utf8 });

// --- the example ---
const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('orders', orders, { onBadRecord: { deadLetter: 'orders-dead' } }) // bytes that are no order
      .filter(({ amount }) => amount !== 0)
      .keyBy(utf8, ({ customer }) => customer, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .reduce(
        'total',
        orderLine,
        (total, { amount }) => {
          if (amount < 0) throw new RangeError(`an order of ${amount}`);
          return { ...total, amount: total.amount + amount };
        },
        { onBadRecord: 'skip' },
      )
      .map(({ amount }) => String(amount))
      .sink('totals', totals), // fail, unless the setting badRecords says otherwise
};
// --- its end ---

it('The example of the page on bad records runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { orders: 1, totals: 1 }, outputs: ['totals'] });
  for (const line of ['a,5', 'a;6', 'a,-1']) driver.pipe(lines, 'a', line);
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  driver.pipe(lines, 'a', 'a,7');
  await driver.checkpoint();
  expect(driver.read(totals).map(({ value }) => value)).toEqual(['5', '12']);
  const letters = driver.read(dead).map(({ value, headers }) => [value, readDeadLetter(headers)?.letter]);
  expect(letters).toEqual([['a;6', { job: 'test-job', operator: 'orders', topic: 'orders', partition: 0, offset: 1, errorCode: 'RECORD_UNDECODABLE', error: expect.stringContaining('not 2 fields') }]]);
  expectShownBy('../jobs/bad-records', import.meta.url);
});
