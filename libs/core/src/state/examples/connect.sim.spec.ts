import { expect, it } from '@jest/globals';
import {
  type Collector,
  json,
  type JobDefinition,
  type KeyedContext,
  KeyedCoFlatMap,
  topic,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Order {
  readonly id: string;
  readonly cents: number;
}
interface Payment {
  readonly order: string;
  readonly cents: number;
}
const orders = topic('orders', { key: utf8, value: json<Order>() });
const payments = topic('payments', { key: utf8, value: json<Payment>() });
const settled = topic('settled', { key: utf8, value: utf8 });

// --- the example ---
/** Joins an order with its payment, whichever comes first. */
class Settle extends KeyedCoFlatMap<string, Order, Payment, string> {
  #order!: ValueState<Order>;
  #payment!: ValueState<Payment>;

  override open(context: KeyedContext<string>): void {
    this.#order = context.state(valueState('order', json<Order>()));
    this.#payment = context.state(valueState('payment', json<Payment>()));
  }

  override flatMap1(order: Order, out: Collector<string>): void {
    this.#order.update(order);
    this.#settle(out);
  }

  override flatMap2(payment: Payment, out: Collector<string>): void {
    this.#payment.update(payment);
    this.#settle(out);
  }

  #settle(out: Collector<string>): void {
    const [order, payment] = [this.#order.value(), this.#payment.value()];
    if (order === undefined || payment === undefined) return;
    out.collect(payment.cents === order.cents ? 'settled' : `${payment.cents} for ${order.cents}`);
    this.#order.clear();
    this.#payment.clear();
  }
}

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('orders', orders) // partitioned by the order's id
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .connect(streams.source('payments', payments).keyBy(utf8, ({ order }) => order, { name: 'payments-by-order' })) // not so
      .flatMap('settle', () => new Settle())
      .sink('settled', settled),
};
// --- its end ---

it('The example of the connect page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { orders: 4, payments: 2, settled: 1 }, outputs: ['settled'] });
  driver.pipe(orders, 'o1', { id: 'o1', cents: 500 });
  driver.pipe(payments, 'bank', { order: 'o2', cents: 90 });
  await driver.advance(3_000);
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  driver.pipe(payments, 'bank', { order: 'o1', cents: 500 });
  driver.pipe(orders, 'o2', { id: 'o2', cents: 100 });
  await driver.until(() => driver.readAll(settled).length === 2);
  expect(driver.readAll(settled).map(({ key, value }) => [key, value]).sort()).toEqual([['o1', 'settled'], ['o2', '90 for 100']]);
  expectShownBy('connect', import.meta.url);
});
