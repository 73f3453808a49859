import { afterEach, describe, expect, it } from '@jest/globals';
import { RecordWriter, sleep } from '@weir/core';
import zlib from 'node:zlib';
import { decodeDescribeTopicConfig, encodeDescribeTopicConfig } from '../admin/topics-messages.js';
import type { KafkaCompression } from '../options.js';
import { ClusterClient, clock, rows } from '../spec/cluster-client.js';
import { CODE } from '../wire/error-codes.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { ANY_NODE, APIS, TRANSACTION_CALLS } from '../wire/wire.js';

let client: ClusterClient;
afterEach(() => client.end());

const PRODUCE = TRANSACTION_CALLS[2].produce;

/** An answer to Produce without any topic. */
const NO_TOPICS = Buffer.concat(new ProtocolWriter(PRODUCE.flexible).count(0).int32(0).tags().finish());

/** An answer to Produce with an error for partition 0 of a topic. */
function produceError(topic: string, error: number): Buffer {
  const out = new ProtocolWriter(PRODUCE.flexible);
  out.count(1).string(topic).count(1).int32(0).int16(error).int64(-1).int64(-1).int64(-1).count(0).string(null).tags().tags();
  return Buffer.concat(out.int32(0).tags().finish());
}

const ALTER_CONFIGS = { name: 'AlterConfigs', key: 33, version: 1, flexible: false };

/** Changes a topic's limit, as an operator does, and waits until the broker says it has. */
async function setLimit(topic: string, bytes: number): Promise<void> {
  const name = 'max.message.bytes';
  const out = new ProtocolWriter(ALTER_CONFIGS.flexible).count(1).int8(2).string(topic).count(1).string(name).string(String(bytes)).boolean(false);
  await client.wire.send(ANY_NODE, 'control', ALTER_CONFIGS, out.finish());
  for (let value = ''; value !== String(bytes); await sleep(clock, 5)) {
    const answer = await client.wire.send(ANY_NODE, 'control', APIS.describeConfigs, encodeDescribeTopicConfig(topic, [name]));
    value = decodeDescribeTopicConfig(answer).values.get(name) ?? '';
  }
}

describe('an append', () => {
  it.each<KafkaCompression>(['none', 'gzip', 'snappy', 'lz4', ...('zstdCompressSync' in zlib ? (['zstd'] as const) : [])])(
    'is taken by the broker and read back under compression %s, in batches of a bounded size',
    async (compression) => {
      client = new ClusterClient({ compression, batchBytes: 20_000 });
      const topic = await client.topic(2);
      const expected: string[][] = [[], []];
      const writers = [new RecordWriter(), new RecordWriter()];
      for (let i = 0; i < 6_000; i++) {
        const value = `sensor_${i % 100},${1547718199 + i},${i % 50}.5`;
        writers[i % 2]!.add(1_547_718_199_000 + i, Buffer.from(`sensor_${i % 100}`), Buffer.from(value));
        expected[i % 2]!.push(value);
      }
      const transaction = (await client.writer()).begin();
      const results = await transaction.append(writers.map(({ columns }, partition) => ({ topic, partition, records: columns })));
      await transaction.commit();
      expect(results.map(({ firstOffset, nextOffset }) => nextOffset - firstOffset)).toEqual([3_000, 3_000]);
      for (const partition of [0, 1]) expect(await client.values(topic, partition)).toEqual(expected[partition]);
      expect(client.wire.count(APIS.produce)).toBeGreaterThan(1);
    },
  );

  it('gives each of several appends for one partition its own place, in their order', async () => {
    client = new ClusterClient();
    const topic = await client.topic();
    const transaction = (await client.writer()).begin();
    const appends = [rows('a', 'b'), rows(), rows('c')].map((records) => ({ topic, partition: 0, records }));
    const results = await transaction.append(appends);
    await transaction.commit();
    expect(results.map(({ firstOffset, nextOffset }) => [firstOffset, nextOffset])).toEqual([
      [0, 2],
      [0, 0],
      [2, 3],
    ]);
    expect(await client.values(topic)).toEqual(['a', 'b', 'c']);
  });

  it('of a record that is too large names topic, size and limit, and sends nothing', async () => {
    client = new ClusterClient();
    const topic = await client.topic(1, { 'max.message.bytes': '5000' });
    const transaction = (await client.writer()).begin();
    const append = transaction.append([{ topic, partition: 0, records: rows('small', 'x'.repeat(6_000), 'small') }]);
    await expect(append).rejects.toMatchObject({
      kind: 'invalid',
      code: 'LOG_RECORD_TOO_LARGE',
      context: { topic, row: 1, limit: 5_000 },
    });
    expect(client.wire.count(APIS.produce)).toBe(0);
    await transaction.abort();
  });

  it('takes a record that fits its topic once it is packed', async () => {
    client = new ClusterClient({ compression: 'gzip' });
    const topic = await client.topic(1, { 'max.message.bytes': '5000' });
    const transaction = (await client.writer()).begin();
    const values = ['a', 'x'.repeat(6_000), 'y'.repeat(30_000), 'b'];
    await transaction.append([{ topic, partition: 0, records: rows(...values) }]);
    await transaction.commit();
    expect(await client.values(topic)).toEqual(values);
  });

  it('of many records of 900 KB is cut into batches that the topic takes, and of one of 10 MB is taken where the topic was made for it', async () => {
    client = new ClusterClient({ batchBytes: 4_000_000 });
    const values = Array.from({ length: 30 }, (_, i) => `${i % 10}`.repeat(900_000));
    const [usual, large] = [await client.topic(), await client.topic(1, { 'max.message.bytes': '12000000' })];
    const transaction = (await client.writer()).begin();
    const huge = ['z'.repeat(10_000_000), 'y', 'x'.repeat(10_000_000)];
    await transaction.append([
      { topic: usual, partition: 0, records: rows(...values) },
      { topic: large, partition: 0, records: rows(...huge) },
    ]);
    await transaction.commit();
    expect((await client.values(usual)).every((value, i) => value === values[i])).toBe(true);
    expect((await client.values(large)).map((value, i) => value === huge[i])).toEqual([true, true, true]);
  });

  it('is refused only after the limit was asked for anew: it may have been raised since', async () => {
    client = new ClusterClient();
    const topic = await client.topic(1, { 'max.message.bytes': '5000' });
    const writer = await client.writer();
    const transaction = writer.begin();
    await expect(transaction.append([{ topic, partition: 0, records: rows('x'.repeat(6_000)) }])).rejects.toMatchObject({ code: 'LOG_RECORD_TOO_LARGE' });
    await transaction.abort();
    await setLimit(topic, 10_000);
    const next = writer.begin();
    await next.append([{ topic, partition: 0, records: rows('x'.repeat(6_000)) }]);
    await next.commit();
    expect(await client.values(topic)).toEqual(['x'.repeat(6_000)]);
  });

  it('whose batch is too large since the limit was lowered is tried again in smaller ones, and a record that is too large is refused then', async () => {
    client = new ClusterClient();
    const topic = await client.topic(1, { 'max.message.bytes': '50000' });
    const writer = await client.writer();
    const values = Array.from({ length: 20 }, (_, i) => `${i}`.padEnd(2_000, '.'));
    const attempt = async (...given: string[]): Promise<unknown> => {
      const transaction = writer.begin();
      try {
        await transaction.append([{ topic, partition: 0, records: rows(...given) }]);
        await transaction.commit();
        return undefined;
      } catch (thrown) {
        await transaction.abort();
        return thrown;
      }
    };
    expect(await attempt('first')).toBeUndefined();
    await setLimit(topic, 5_000);
    expect(await attempt(...values)).toMatchObject({ kind: 'restart-task', code: 'KAFKA_TRANSACTION_FAILED' });
    expect(await attempt(...values)).toBeUndefined();
    expect(await attempt('x'.repeat(6_000))).toMatchObject({ kind: 'invalid', code: 'LOG_RECORD_TOO_LARGE', context: { limit: 5_000 } });
    expect(await client.values(topic)).toEqual(['first', ...values]);
  });

  it('without a key to a compacted topic says what the broker said', async () => {
    client = new ClusterClient();
    const topic = await client.topic(1, { 'cleanup.policy': 'compact' });
    const records = new RecordWriter();
    records.add(0, null, Buffer.from('value'));
    const transaction = (await client.writer()).begin();
    await expect(transaction.append([{ topic, partition: 0, records: records.columns }])).rejects.toMatchObject({
      kind: 'invalid',
      code: 'KAFKA_APPEND_REFUSED',
    });
    await transaction.abort();
  });

  it('is sent again when the broker leaves a partition out of its answer', async () => {
    client = new ClusterClient();
    const topic = await client.topic();
    const transaction = (await client.writer()).begin();
    client.wire.strike(APIS.produce, NO_TOPICS);
    await transaction.append([{ topic, partition: 0, records: rows('a') }]);
    await transaction.commit();
    expect(await client.values(topic)).toEqual(['a']);
  });

  it('keeps its order although the leader, being new, refuses the first batches and would take the ones behind them', async () => {
    client = new ClusterClient({ batchBytes: 1_100 });
    const topic = await client.topic();
    const values = Array.from({ length: 400 }, (_, i) => `value ${i}`);
    const transaction = (await client.writer()).begin();
    client.wire.strike(APIS.produce, produceError(topic, CODE.NOT_LEADER_OR_FOLLOWER), 2);
    await transaction.append([{ topic, partition: 0, records: rows(...values) }]);
    await transaction.commit();
    expect(await client.values(topic)).toEqual(values);
  });

  it.each(['NOT_LEADER_OR_FOLLOWER', 'KAFKA_STORAGE_ERROR', 'NOT_ENOUGH_REPLICAS', 'CORRUPT_MESSAGE'] as const)(
    'keeps its order when a batch in the middle is refused with %s',
    async (name) => {
      client = new ClusterClient({ batchBytes: 1_100 });
      const topic = await client.topic();
      const values = Array.from({ length: 400 }, (_, i) => `value ${i}`);
      const transaction = (await client.writer()).begin();
      let sent = 0;
      const isProduce = (api: string): boolean => api === APIS.produce.name;
      client.wire.fault = ({ api }) => (isProduce(api) && [3, 6].includes(++sent) ? produceError(topic, CODE[name]) : undefined);
      await transaction.append([{ topic, partition: 0, records: rows(...values) }]);
      await transaction.commit();
      expect(await client.values(topic)).toEqual(values);
    },
  );
});

describe('an appender outside of transactions', () => {
  it('has its records there once, in order, although answers are lost', async () => {
    client = new ClusterClient();
    const topic = await client.topic();
    const appender = await client.log.openAppender();
    await appender.append([{ topic, partition: 0, records: rows('a') }]);
    client.wire.strike(APIS.produce, 'reply lost', 2);
    await appender.append([{ topic, partition: 0, records: rows('b', 'c') }]);
    await appender.append([{ topic, partition: 0, records: rows('d') }]);
    expect(await client.values(topic)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on with a new identity after an append that failed', async () => {
    client = new ClusterClient({ requestTimeoutMs: 1_000 });
    const topic = await client.topic();
    const appender = await client.log.openAppender();
    await appender.append([{ topic, partition: 0, records: rows('a') }]);
    client.wire.strike(APIS.produce, 'unreachable', Infinity);
    await expect(appender.append([{ topic, partition: 0, records: rows('lost') }])).rejects.toMatchObject({ kind: 'retry', code: 'KAFKA_APPEND_UNCERTAIN' });
    client.wire.fault = () => undefined;
    await appender.append([{ topic, partition: 0, records: rows('b') }]);
    expect(await client.values(topic)).toEqual(['a', 'b']);
  });
});
