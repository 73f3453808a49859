import { expect } from '@jest/globals';
import { ByteWriter, encodeHeaders, offset, type RecordHeader } from '@weir/core';
import { columnsOf } from '../log-record.js';
import { append, commitRows, endsOf, rows, type LogFixture } from './log-harness.js';
import type { ConformanceTest } from './log.js';

const numbers = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `v${from + i}`);

/** What a reader hands out: records as they were written, in order, from where it was told. */
export const readingTests: readonly ConformanceTest[] = [
  ['L1: hands out the records of a partition in offset order, each where its append said it would be', inOrder],
  ['reads several partitions of several topics at once, each in its own order', severalPartitions],
  ['tells null from empty, and keeps binary keys and values, a key of four zero bytes among them', bytesAsTheyAre],
  ['passes header blocks on untouched: repeated keys, null and empty values, text beyond ASCII', headersUntouched],
  ['keeps timestamps as they were set, 0 among them, in any order', timestamps],
  ['takes 20,000 records in one append, and gives all of them back', manyAtOnce],
  ['appends the columns of a chunk as they are, so that records pass from input to output', passThrough],
  ['never overwrites bytes that it handed out, although it uses the columns of a chunk again', bytesStay],
];

async function inOrder(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const found: string[] = [];
  for (let i = 0; i < 5; i++) {
    const values = numbers(i * 10, 10);
    const { firstOffset, nextOffset } = await commitRows(writer, topic, rows(...values));
    expect(nextOffset - firstOffset).toBe(10);
    found.push(...values.map((value, row) => `${firstOffset + row} ${value}`));
  }
  const reading = fixture.reading(log);
  reading.assign(topic);
  const records = await reading.toEnd(topic);
  expect(records.map((record) => `${record.offset} ${record.value?.toString()}`)).toEqual(found);
}

async function severalPartitions(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [one, other] = [await fixture.topic(log, 3), await fixture.topic(log, 1)];
  const writer = await fixture.writer(log);
  const places = [
    [one, 0],
    [one, 2],
    [other, 0],
  ] as const;
  for (let i = 0; i < 4; i++) {
    const transaction = writer.begin();
    const records = places.map(([topic, partition]) => ({ topic, partition, records: rows(...numbers(i * 5, 5)) }));
    const results = await transaction.append(records);
    expect(results.map(({ topic, partition }) => [topic, partition])).toEqual(places);
    await transaction.commit();
  }
  const reading = fixture.reading(log);
  for (const [topic, partition] of places) reading.assign(topic, partition);
  for (const [topic, partition] of places) {
    await reading.toEnd(topic, partition);
    expect(reading.values(topic, partition)).toEqual(numbers(0, 20));
  }
  expect(reading.records).toHaveLength(60);
}

async function bytesAsTheyAre(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const notUtf8 = Buffer.from([0xff, 0xfe, 0x80, 0x01]);
  const samples = [null, Buffer.alloc(0), Buffer.alloc(4), notUtf8, Buffer.from('ключ'), Buffer.from([0])];
  const written = samples.flatMap((key) => samples.map((value) => ({ key, value })));
  await commitRows(await fixture.writer(log), topic, written);
  const reading = fixture.reading(log);
  reading.assign(topic);
  const records = await reading.toEnd(topic);
  expect(records.map(({ key, value }) => ({ key, value }))).toEqual(written);
}

async function headersUntouched(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const sets: RecordHeader[][] = [
    [],
    [{ key: 'traceparent', value: Buffer.from('00-ab-cd-01') }],
    [
      { key: 'twice', value: Buffer.from('1') },
      { key: 'twice', value: null },
      { key: '', value: Buffer.alloc(0) },
      { key: 'ürsprung', value: Buffer.alloc(300, 7) },
    ],
  ];
  await commitRows(
    await fixture.writer(log),
    topic,
    sets.map((headers) => ({ key: 'k', value: 'v', headers })),
  );
  const reading = fixture.reading(log);
  reading.assign(topic);
  const { highWatermark } = await fixture.stable(log, topic);
  const blocks: string[] = [];
  let position = 0;
  await fixture.until('all records came', () => {
    for (let chunk = reading.reader.take(); chunk !== undefined; chunk = reading.reader.take()) {
      const { buffer, headersStart, headersEnd, count } = chunk.records;
      for (let i = 0; i < count; i++) blocks.push(buffer.toString('hex', headersStart[i], headersEnd[i]));
      position = chunk.nextOffset;
    }
    return position >= highWatermark;
  });
  expect(blocks).toEqual(
    sets.map((headers) => {
      const block = new ByteWriter();
      encodeHeaders(headers, block);
      return block.copy().toString('hex');
    }),
  );
}

async function timestamps(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const times = [1_547_718_199_000, 0, 1, 1_547_718_198_999, 4_294_967_296, 0];
  await commitRows(
    await fixture.writer(log),
    topic,
    times.map((timestamp) => ({ value: 'v', timestamp })),
  );
  const reading = fixture.reading(log);
  reading.assign(topic);
  expect((await reading.toEnd(topic)).map(({ timestamp }) => timestamp)).toEqual(times);
}

async function manyAtOnce(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const count = 20_000;
  const records = columnsOf(Array.from({ length: count }, (_, i) => ({ key: `key-${i}`, value: `value-${i}`, timestamp: i })));
  const { firstOffset, nextOffset } = await commitRows(await fixture.writer(log), topic, records);
  expect(nextOffset - firstOffset).toBe(count);
  const reading = fixture.reading(log);
  reading.assign(topic);
  const found = await reading.toEnd(topic);
  expect(found).toHaveLength(count);
  const wrong = found.filter(
    (record, i) => record.key?.toString() !== `key-${i}` || record.value?.toString() !== `value-${i}` || record.timestamp !== i,
  );
  expect(wrong).toEqual([]);
}

async function passThrough(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const [from, to] = [await fixture.topic(log), await fixture.topic(log)];
  const writer = await fixture.writer(log);
  const headers = [{ key: 'h', value: Buffer.from('1') }];
  const sent = [
    { key: 'a', value: 'one', timestamp: 5, headers },
    { key: null, value: null, timestamp: 6, headers: [] },
    { key: 'c', value: '', timestamp: 7, headers },
  ];
  await commitRows(writer, from, sent);
  const reader = log.openReader({ wake: () => undefined, bufferBytes: 1 << 16 });
  reader.assign({ topic: from, partition: 0 }, offset(0));
  let forwarded = 0;
  while (forwarded < sent.length) {
    let chunk = reader.take();
    await fixture.until('a chunk came', () => (chunk ??= reader.take()) !== undefined);
    if (chunk!.records.count > 0) await commitRows(writer, to, chunk!.records);
    forwarded += chunk!.records.count;
  }
  const [read, copy] = [fixture.reading(log), fixture.reading(log)];
  read.assign(from);
  copy.assign(to);
  const plain = (records: Awaited<ReturnType<typeof copy.toEnd>>): unknown =>
    records.map(({ key, value, timestamp, headers: found }) => ({ key, value, timestamp, headers: found }));
  expect(plain(await copy.toEnd(to))).toEqual(plain(await read.toEnd(from)));
  expect(copy.records).toHaveLength(3);
}

async function bytesStay(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  for (let i = 0; i < 20; i++) await commitRows(writer, topic, rows(...numbers(i * 50, 50)));
  const { highWatermark } = await fixture.stable(log, topic);
  const reader = log.openReader({ wake: () => undefined, bufferBytes: 200 });
  reader.assign({ topic, partition: 0 }, offset(0));
  const views: Buffer[] = [];
  let position = 0;
  await fixture.until('all was read', () => {
    for (let chunk = reader.take(); chunk !== undefined; chunk = reader.take()) {
      for (let i = 0; i < chunk.records.count; i++) views.push(chunk.records.value(i)!);
      position = chunk.nextOffset;
    }
    return position >= highWatermark;
  });
  expect(views.map((view) => view.toString())).toEqual(numbers(0, 1_000));
}

/** Where a reader is, and how it gets elsewhere. */
export const positionTests: readonly ConformanceTest[] = [
  ['moves its position over control records, up to the last stable offset', overControlRecords],
  ['begins at an offset in the middle of an append, or in the middle of a transaction', fromTheMiddle],
  ['reads nothing that was there before when it begins at the end, and all that comes later', fromTheEnd],
  ['waits at an empty partition until something comes, and says so through wake, never from within a call', wakes],
  ['begins anew at an earlier offset when assigned again, and repeats nothing of what it had buffered', assignedAgain],
  ['hands out nothing of a partition that is paused, while others go on; after resume nothing is missing or twice', pauseAndResume],
  ['hands out nothing of a partition that is no longer assigned', unassigned],
  ['L6: throws LOG_OFFSET_OUT_OF_RANGE beyond the end, and reads on once it is assigned a legal offset', outOfRange],
  ['reads what is written while it reads, in order and once', whileWriting],
  ['gets through with a buffer smaller than one record', tinyBuffer],
  ['gives two readers the same, wherever each of them is', twoReaders],
];

async function overControlRecords(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  for (let i = 0; i < 3; i++) await commitRows(writer, topic, rows(`v${i}`));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['v0', 'v1', 'v2']);
  expect(reading.position(topic)).toBeGreaterThan(reading.records.at(-1)!.offset + 1);
  // From behind the last record there is nothing but a control record, and the position still gets to the end.
  reading.assign(topic, 0, reading.records.at(-1)!.offset + 1);
  await reading.toEnd(topic);
  expect(reading.records).toHaveLength(3);
}

async function fromTheMiddle(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const transaction = writer.begin();
  const first = await append(transaction, topic, rows(...numbers(0, 10)));
  const second = await append(transaction, topic, rows(...numbers(10, 10)));
  await transaction.commit();
  const reading = fixture.reading(log);
  reading.assign(topic, 0, first.firstOffset + 7);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(numbers(7, 13));
  const later = fixture.reading(log);
  later.assign(topic, 0, second.firstOffset);
  await later.toEnd(topic);
  expect(later.values(topic)).toEqual(numbers(10, 10));
}

async function fromTheEnd(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  await commitRows(writer, topic, rows('before'));
  const { highWatermark } = await fixture.stable(log, topic);
  const reading = fixture.reading(log);
  reading.assign(topic, 0, highWatermark);
  expect(await reading.quiet()).toBe(0);
  await commitRows(writer, topic, rows('after'));
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['after']);
}

async function wakes(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const reading = fixture.reading(log);
  reading.assign(topic);
  expect(await reading.quiet()).toBe(0);
  for (let i = 0; i < 3; i++) {
    const before = reading.wakes;
    await commitRows(writer, topic, rows(`v${i}`));
    await fixture.until('wake is called', () => reading.wakes > before);
    await reading.toEnd(topic);
    expect(reading.takeOne()).toBe(false);
  }
  expect(reading.values(topic)).toEqual(['v0', 'v1', 'v2']);
  expect(reading.wokenFromInside).toBe(false);
}

async function assignedAgain(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const { firstOffset } = await commitRows(writer, topic, rows(...numbers(0, 30)));
  const second = await commitRows(writer, topic, rows(...numbers(30, 30)));
  const reading = fixture.reading(log);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(numbers(0, 60));
  for (const [settles, from] of [0, 12, 45, 0, 12, 45].entries()) {
    // What is being fetched by now, and what was fetched and not taken: neither may show up after the next assign.
    reading.assign(topic, 0, firstOffset);
    for (let i = 0; i < settles; i++) await fixture.harness.settle();
    if (settles === 5) await fixture.until('something came', () => reading.takeOne());
    reading.records.length = 0;
    reading.assign(topic, 0, from < 30 ? firstOffset + from : second.firstOffset + from - 30);
    await reading.toEnd(topic);
    expect(reading.values(topic)).toEqual(numbers(from, 60 - from));
  }
}

async function pauseAndResume(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 2);
  const writer = await fixture.writer(log);
  const both = async (from: number): Promise<void> => {
    for (const partition of [0, 1]) await commitRows(writer, topic, rows(...numbers(from, 20)), partition);
  };
  const reading = fixture.reading(log);
  reading.assign(topic, 0);
  reading.assign(topic, 1);
  await both(0);
  await fixture.until('something of partition 0 came', () => {
    reading.takeOne();
    return reading.of(topic, 0).length > 0;
  });
  reading.reader.pause({ topic, partition: 0 });
  const before = reading.of(topic, 0).length;
  await both(20);
  await reading.toEnd(topic, 1);
  await reading.quiet();
  expect(reading.of(topic, 0)).toHaveLength(before);
  expect(reading.values(topic, 1)).toEqual(numbers(0, 40));
  reading.reader.resume({ topic, partition: 0 });
  await reading.toEnd(topic, 0);
  expect(reading.values(topic, 0)).toEqual(numbers(0, 40));
}

async function unassigned(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log, 2);
  const writer = await fixture.writer(log);
  const reading = fixture.reading(log);
  reading.assign(topic, 0);
  reading.assign(topic, 1);
  await fixture.quiet();
  for (const partition of [0, 1]) await commitRows(writer, topic, rows('a', 'b'), partition);
  await fixture.quiet();
  reading.reader.unassign({ topic, partition: 0 });
  await reading.toEnd(topic, 1);
  await commitRows(writer, topic, rows('c'), 0);
  await reading.quiet();
  expect(reading.of(topic, 0)).toEqual([]);
  expect(reading.values(topic, 1)).toEqual(['a', 'b']);
}

async function outOfRange(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows('a', 'b'));
  const { highWatermark } = await fixture.stable(log, topic);
  const reading = fixture.reading(log);
  reading.assign(topic, 0, highWatermark + 50);
  const thrown = await reading.failure();
  expect(thrown).toMatchObject({ kind: 'invalid', code: 'LOG_OFFSET_OUT_OF_RANGE' });
  expect(String(thrown)).toContain(topic);
  expect(String(thrown)).toContain(String(highWatermark + 50));
  reading.assign(topic, 0, 0);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(['a', 'b']);
}

async function whileWriting(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const writer = await fixture.writer(log);
  const reading = fixture.reading(log);
  reading.assign(topic);
  for (let i = 0; i < 30; i++) {
    if (i % 3 === 2) await commitRows(writer, topic, rows(...numbers(i * 10, 10)));
    else {
      const transaction = writer.begin();
      await append(transaction, topic, rows(...numbers(i * 10, 5)));
      reading.takeAll();
      await append(transaction, topic, rows(...numbers(i * 10 + 5, 5)));
      await transaction.commit();
    }
    await fixture.harness.settle();
    reading.takeAll();
  }
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual(numbers(0, 300));
}

async function tinyBuffer(fixture: LogFixture): Promise<void> {
  const log = await fixture.client();
  const topic = await fixture.topic(log);
  const big = 'x'.repeat(200_000);
  const writer = await fixture.writer(log);
  for (let i = 0; i < 3; i++) await commitRows(writer, topic, rows(`small-${i}`, `${big}-${i}`));
  const reading = fixture.reading(log, 1_000);
  reading.assign(topic);
  await reading.toEnd(topic);
  expect(reading.values(topic)).toEqual([0, 1, 2].flatMap((i) => [`small-${i}`, `${big}-${i}`]));
}

async function twoReaders(fixture: LogFixture): Promise<void> {
  const [log, other] = [await fixture.client(), await fixture.client()];
  const topic = await fixture.topic(log);
  await commitRows(await fixture.writer(log), topic, rows(...numbers(0, 40)));
  const readings = [fixture.reading(log), fixture.reading(log), fixture.reading(other)];
  for (const [i, reading] of readings.entries()) reading.assign(topic, 0, i * 10);
  for (const [i, reading] of readings.entries()) {
    await reading.toEnd(topic);
    expect(reading.values(topic)).toEqual(numbers(i * 10, 40 - i * 10));
  }
  expect((await endsOf(other, topic)).start).toBe(0);
}
