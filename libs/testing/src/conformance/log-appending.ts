import { expect } from '@jest/globals';
import type { ConformanceTest } from './log.js';
import { append, endsOf, type LogFixture, rejection, rows } from './log-harness.js';

/** Appends outside of transactions. */
export const appendingTests: readonly ConformanceTest[] = [
  ['shows what was appended outside of transactions as soon as it is acknowledged', acknowledged],
  ['keeps the order of appends that nobody waited for', inOrder],
  ['appends behind an open transaction, and shows it when that has ended', behindOpen],
  ['appends nothing of an append of which one record is refused, and goes on with the next', refused],
  ['appends from several appenders at once without losing any', several],
  ['refuses appends once it is closed, and what was under way is there', closed],
];

async function acknowledged(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 2);
  const appender = await log.openAppender();
  const [first, empty, second] = await appender.append([
    { topic, partition: 0, records: rows('a', 'b') },
    { topic, partition: 1, records: rows() },
    { topic, partition: 0, records: rows('c') },
  ]);
  expect([first!.firstOffset, first!.nextOffset, second!.firstOffset, second!.nextOffset]).toEqual([0, 2, 2, 3]);
  expect(empty!.firstOffset).toBe(empty!.nextOffset);
  const { lastStable, highWatermark } = await endsOf(log, topic);
  expect([lastStable, highWatermark]).toEqual([3, 3]);
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b', 'c']);
}

async function inOrder(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const appender = await log.openAppender();
  const values = Array.from({ length: 20 }, (_, i) => `v${i}`);
  await Promise.all(values.map((value) => appender.append([{ topic, partition: 0, records: rows(value) }])));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(values);
}

async function behindOpen(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const open = (await fixture.writer(log)).begin();
  await append(open, topic, rows('dropped'));
  const appender = await log.openAppender();
  await appender.append([{ topic, partition: 0, records: rows('kept') }]);
  const reading = fixture.reading(log);
  reading.assign(topic);
  expect(await reading.quiet()).toBe(0);
  await open.abort();
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['kept']);
}

async function refused(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 1, { 'max.message.bytes': '2000' });
  const appender = await log.openAppender();
  expect(await rejection(appender.append([{ topic, partition: 0, records: rows('short', 'x'.repeat(5_000)) }]))).toMatchObject({ kind: 'invalid' });
  await appender.append([{ topic, partition: 0, records: rows('next') }]);
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['next']);
}

async function several(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const appenders = await Promise.all([log.openAppender(), log.openAppender(), (await fixture.client()).openAppender()]);
  const sent = appenders.map((_, at) => Array.from({ length: 10 }, (__, i) => `${at}-${i}`));
  await Promise.all(
    appenders.map(async (appender, at) => {
      for (const value of sent[at]!) await appender.append([{ topic, partition: 0, records: rows(value) }]);
    }),
  );
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  const values = reading.values(topic);
  expect(sent.map((_, at) => values.filter((value) => value!.startsWith(`${at}-`)))).toEqual(sent);
}

async function closed(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const appender = await log.openAppender();
  const under = appender.append([{ topic, partition: 0, records: rows('a') }]);
  await appender.close();
  await under;
  await rejection(appender.append([{ topic, partition: 0, records: rows('b') }]));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a']);
}
