import { expect, it } from '@jest/globals';
import {
  type Collector,
  float64,
  int32,
  json,
  type JobDefinition,
  type KeyedContext,
  KeyedProcess,
  topic,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Click {
  readonly user: string;
}
const clicks = topic('clicks', { key: utf8, value: json<Click>() });
const sessions = topic('sessions', { key: utf8, value: int32 });
const SESSION_GAP_MS = 30_000;

// --- the example ---
/** Counts the clicks of a session, which ends when a user was silent for a while. */
class CountSessions extends KeyedProcess<string, Click, number> {
  #context!: KeyedContext<string>;
  #clicks!: ValueState<number, number>;
  #endsAt!: ValueState<number>;

  override open(context: KeyedContext<string>): void {
    this.#context = context;
    this.#clicks = context.state(valueState('clicks', int32, { default: 0 }));
    this.#endsAt = context.state(valueState('ends-at', float64));
  }

  override process(): void {
    const { timerService } = this.#context;
    const before = this.#endsAt.value();
    if (before !== undefined) timerService.deleteProcessingTimeTimer(before);
    const endsAt = timerService.currentProcessingTime() + SESSION_GAP_MS;
    timerService.registerProcessingTimeTimer(endsAt);
    this.#endsAt.update(endsAt);
    this.#clicks.update(this.#clicks.value() + 1);
  }

  override onTimer(_at: number, out: Collector<number>): void {
    out.collect(this.#clicks.value()); // state is that of the timer's key
    this.#clicks.clear();
    this.#endsAt.clear();
  }
}
// --- its end ---

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('clicks', clicks)
      .keyBy(utf8, ({ user }) => user, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .process('count-sessions', () => new CountSessions())
      .sink('sessions', sessions),
};

it('The example of the timers page runs, through a crash, and stands there word for word', async () => {
  const driver = await JobTestDriver.start(job, { topics: { clicks: 2, sessions: 1 }, outputs: ['sessions'] });
  for (const user of ['a', 'b', 'a']) driver.pipe(clicks, user, { user });
  await driver.checkpoint();
  await driver.advance(SESSION_GAP_MS / 2);
  driver.pipe(clicks, 'a', { user: 'a' });
  await driver.checkpoint();
  await driver.crash();
  driver.disk.wipe();
  await driver.advance(SESSION_GAP_MS * 2); // it falls due meanwhile
  await driver.recover();
  await driver.advance(1_000);
  expect(driver.readAll(sessions).map(({ key, value }) => [key, value]).sort()).toEqual([['a', 3], ['b', 1]]);
  expectShownBy('timers', import.meta.url);
});
