import { expect, it } from '@jest/globals';
import {
  type Collector,
  json,
  type JobDefinition,
  type OperatorContext,
  type OperatorListState,
  operatorListState,
  ProcessFunction,
  topic,
  utf8,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Payment {
  readonly account: string;
  readonly cents: number;
}
const payments = topic('payments', { key: utf8, value: json<Payment>() });
const batches = topic('batches', { key: utf8, value: json<readonly Payment[]>() });

// --- the example ---
/** Sends payments on in batches. What does not fill one yet is in a field, and in operator state whenever a checkpoint is taken. */
class Batching extends ProcessFunction<Payment, readonly Payment[]> {
  #waiting: Payment[] = [];
  #kept!: OperatorListState<Payment>;

  override open(context: OperatorContext): void {
    this.#kept = context.operatorState(operatorListState('waiting', json<Payment>()));
  }

  override initializeState(): void {
    this.#waiting = this.#kept.get(); // as the last checkpoint has it; empty at the first start
  }

  override process(payment: Payment, out: Collector<readonly Payment[]>): void {
    this.#waiting.push(payment);
    if (this.#waiting.length < 3) return;
    out.collect(this.#waiting);
    this.#waiting = [];
  }

  override snapshotState(): void {
    this.#kept.update(this.#waiting);
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) => streams.source('payments', payments).process('batching', () => new Batching()).sink('batches', batches),
};

it('The example of the operator list state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { payments: 1, batches: 1 }, outputs: ['batches'] });
  for (const cents of [1, 2, 3, 4]) driver.pipe(payments, 'a', { account: 'a', cents });
  await driver.checkpoint();
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  for (const cents of [5, 6]) driver.pipe(payments, 'a', { account: 'a', cents });
  await driver.checkpoint();
  expect(driver.readAll(batches).map(({ value }) => value!.map(({ cents }) => cents))).toEqual([[1, 2, 3], [4, 5, 6]]);
  expectShownBy('operator-list', import.meta.url);
});
