import { expect, it } from '@jest/globals';
import {
  type Collector,
  int32,
  json,
  type JobDefinition,
  type OperatorContext,
  type OperatorListState,
  ProcessFunction,
  topic,
  unionListState,
  utf8,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Invoice {
  readonly customer: string;
}
interface Numbered extends Invoice {
  readonly number: number;
}
const invoices = topic('invoices', { key: utf8, value: json<Invoice>() });
const numbered = topic('numbered', { key: utf8, value: json<Numbered>() });

// --- the example ---
/** Numbers invoices: task i of P gives out i, P + i, 2 P + i, ..., so no two give the same, whatever P becomes later. */
class NumberInvoices extends ProcessFunction<Invoice, Numbered> {
  #rounds!: OperatorListState<number>;
  #round = 0;
  #numberOf!: (round: number) => number;

  override open({ taskIndex, parallelism, ...context }: OperatorContext): void {
    this.#rounds = context.operatorState(unionListState('rounds', int32));
    this.#numberOf = (round) => round * parallelism + taskIndex;
  }

  override initializeState(): void {
    this.#round = Math.max(0, ...this.#rounds.get()); // of all tasks, if their number has changed
  }

  override process(invoice: Invoice, out: Collector<Numbered>): void {
    out.collect({ ...invoice, number: this.#numberOf(this.#round++) });
    this.#rounds.update([this.#round]);
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) => streams.source('invoices', invoices).process('number-invoices', () => new NumberInvoices()).sink('numbered', numbered),
};

it('The example of the union list state page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { invoices: 2, numbered: 1 }, outputs: ['numbered'], settings: { parallelism: 2 } });
  const pipe = (): void => [0, 1, 0].forEach((partition) => driver.pipe(invoices, null, { customer: 'a' }, { partition }));
  pipe();
  await driver.checkpoint();
  await driver.crash();
  driver.disk.wipe();
  await driver.recover();
  pipe();
  await driver.checkpoint();
  expect(driver.readAll(numbered).map(({ value }) => value!.number).sort()).toEqual([0, 1, 2, 3, 4, 6]);
  expectShownBy('union-list', import.meta.url);
});
