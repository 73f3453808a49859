import { expect, it } from '@jest/globals';
import {
  type Collector,
  type Counter,
  int32,
  json,
  type JobDefinition,
  type KeyedContext,
  KeyedProcess,
  OutputTag,
  topic,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Order {
  readonly customer: string;
  readonly cents: number;
}
const orders = topic('orders', { key: utf8, value: json<Order>() });
const accepted = topic('accepted', { key: utf8, value: json<Order>() });
const refused = topic('refused', { key: utf8, value: utf8 });

// --- the example ---
const REFUSED = new OutputTag<string>('refused');

/** Lets orders pass until a customer's credit is used up; the others go to a side output, with the reason. */
class CheckCredit extends KeyedProcess<string, Order, Order> {
  #context!: KeyedContext<string>;
  #open!: ValueState<number, number>;
  #refused!: Counter;

  override open(context: KeyedContext<string>): void {
    this.#context = context;
    this.#open = context.state(valueState('open-cents', int32, { default: 0 }));
    this.#refused = context.metrics.counter('refused');
  }

  override process(order: Order, out: Collector<Order>): void {
    const open = this.#open.value() + order.cents;
    if (open > 10_000) {
      this.#refused.inc();
      this.#context.output(REFUSED, `${this.#context.currentKey()} would owe ${open}`);
      return;
    }
    this.#open.update(open);
    out.collect(order);
  }
}

const job: JobDefinition = {
  define: (streams) => {
    const checked = streams
      .source('orders', orders)
      .keyBy(utf8, ({ customer }) => customer, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .process('check-credit', () => new CheckCredit());
    checked.sink('accepted', accepted);
    checked.sideOutput(REFUSED).sink('refused', refused);
  },
};
// --- its end ---

it('The example of the process functions page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { orders: 1, accepted: 1, refused: 1 }, outputs: ['accepted', 'refused'] });
  const order = (cents: number): void => driver.pipe(orders, 'a', { customer: 'a', cents });
  order(9_000);
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  order(2_000);
  order(1_000);
  await driver.checkpoint();
  expect(driver.readAll(accepted).map(({ value }) => value!.cents)).toEqual([9_000, 1_000]);
  expect(driver.readAll(refused).map(({ key, value }) => [key, value])).toEqual([['a', 'a would owe 11000']]);
  const told = driver.telemetry.of('operator-metrics').map(({ operator, metrics }) => [operator, metrics]);
  expect(told).toEqual([['check-credit', [{ kind: 'counter', name: 'refused', added: 1 }]]]);
  expectShownBy('process', import.meta.url);
});
