import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordWriter, offset, sleep, type LogWriter } from '@weir/core';
import { ClusterClient, clock } from '../spec/cluster-client.js';

/** Compaction at once, as far as the broker's cleaner gets round to it (every 15 s by its default). */
const COMPACT_AT_ONCE = {
  'cleanup.policy': 'compact',
  'segment.ms': '100',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': '0',
  'max.compaction.lag.ms': '200',
};
const CLEANER_MS = 45_000;

let client: ClusterClient;
beforeEach(() => {
  client = new ClusterClient();
});
afterEach(() => client.end());

async function transaction(
  writer: LogWriter,
  topic: string,
  end: 'commit' | 'abort',
  ...pairs: readonly [string, string | null][]
): Promise<void> {
  const records = new RecordWriter();
  for (const [key, value] of pairs) records.add(clock.wall(), Buffer.from(key), value === null ? null : Buffer.from(value));
  const open = writer.begin();
  await open.append([{ topic, partition: 0, records: records.columns }]);
  await open[end]();
}

/** Restores a table from a changelog: reads to where the last stable offset was at the start. */
async function restore(topic: string): Promise<{ table: Map<string, string>; rows: number }> {
  const end = await client.stableEnd(topic);
  const table = new Map<string, string>();
  let rows = 0;
  let wake = (): void => {};
  const reader = client.log.openReader({ wake: () => wake(), bufferBytes: 1 << 16 });
  reader.assign({ topic, partition: 0 }, offset(0));
  for (let position = 0; position < end;) {
    const chunk = reader.take();
    if (chunk === undefined) {
      await new Promise<void>((resolve) => (wake = resolve));
      continue;
    }
    for (let i = 0; i < chunk.records.count; i++, rows++) {
      const [key, value] = [chunk.records.key(i)!.toString(), chunk.records.value(i)?.toString()];
      if (value === undefined) table.delete(key);
      else table.set(key, value);
    }
    position = chunk.nextOffset;
  }
  await reader.close();
  return { table, rows };
}

describe('trap 1: a restore ends', () => {
  it('where the last offset is a control record', async () => {
    const topic = await client.topic();
    await transaction(await client.writer(), topic, 'commit', ['a', '1']);
    expect(Object.fromEntries((await restore(topic)).table)).toEqual({ a: '1' });
  });

  it('where the last offsets are an aborted batch, or nothing was ever committed', async () => {
    const topic = await client.topic();
    const writer = await client.writer();
    await transaction(writer, topic, 'abort', ['a', '0']);
    expect((await restore(topic)).rows).toBe(0);
    await transaction(writer, topic, 'commit', ['a', '1']);
    await transaction(writer, topic, 'abort', ['a', '2'], ['b', '2']);
    expect(Object.fromEntries((await restore(topic)).table)).toEqual({ a: '1' });
  });

  it('where compaction has removed records before the end, aborted ones and tombstones among them', async () => {
    const topic = await client.topic(1, COMPACT_AT_ONCE);
    const writer = await client.writer();
    for (let i = 0; i < 30; i++) {
      await transaction(writer, topic, i % 3 === 2 ? 'abort' : 'commit', ['a', `${i}`], ['b', `${i}`]);
      await transaction(writer, topic, 'commit', [`gone ${i}`, '1'], [`gone ${i}`, null]);
      if (i % 10 === 0) await sleep(clock, 150); // a new segment
    }
    await transaction(writer, topic, 'commit', ['last', '1'], ['last', null]);
    await transaction(writer, topic, 'abort', ['a', 'aborted']);
    const before = 40 + 60 + 2;
    let found = await restore(topic);
    for (let waited = 0; found.rows === before && waited < CLEANER_MS; waited += 500) {
      await sleep(clock, 500);
      found = await restore(topic);
    }
    expect(found.rows).toBeLessThan(before);
    expect(Object.fromEntries(found.table)).toEqual({ a: '28', b: '28' });
  }, 90_000);
});
