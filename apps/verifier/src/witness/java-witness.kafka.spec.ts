import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { clockOf, PARTITIONERS } from '@weir/core';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { Feeder } from '../generator/feeder.js';
import { JavaWitness } from './java-witness.js';
import type { SeenRecord } from './seen-record.js';
import { SeenTrail } from './seen-trail.js';
import { WeirWitness } from './weir-witness.js';

const PARTITIONS = 3;
const LIMIT_MS = 60_000;

let broker: LocalBroker;
let java: JavaWitness;
let weir: WeirWitness;
let feeder: Feeder;
let topic: string;
let prefix: string;

beforeAll(async () => {
  broker = await startBroker();
  prefix = `witness-${clockOf(globalThis).newId().slice(0, 8)}`;
  topic = `${prefix}-records`;
  java = await JavaWitness.start(broker.brokers);
  weir = await WeirWitness.start(broker.brokers);
  feeder = await Feeder.start({ brokers: broker.brokers, topic, compression: 'lz4', transactionalId: `${prefix}-feeder` });
  await feeder.create(topic, PARTITIONS);
}, LIMIT_MS);

afterAll(async () => {
  await Promise.all([java?.close(), weir?.close(), feeder?.close()]);
  await broker?.stop();
}, LIMIT_MS);

async function send(from: number, to: number, end: 'commit' | 'abort' | 'leave open'): Promise<void> {
  for (let i = from; i < to; i++) await feeder.send({ key: `schlüssel_${i}`, value: `v${i}` });
  if (end === 'leave open') return;
  await feeder.endTransaction(end);
}

const read = async (level: 'committed' | 'uncommitted'): Promise<SeenRecord[]> => {
  const records: SeenRecord[] = [];
  await java.read(topic, level, (record) => records.push(record));
  return records;
};

const values = (records: readonly SeenRecord[]): string[] => records.map(({ value }) => value!.toString()).sort();
const names = (...indices: readonly number[]): string[] => indices.map((i) => `v${i}`).sort();
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

// One story, told in order: each step goes on where the one before has left the topic.
describe('the Java witness', () => {
  it(
    'sees committed records alone, and open transactions by name',
    async () => {
      const live = new SeenTrail();
      const ownLive = new SeenTrail();
      await java.follow(topic, (record) => live.see(record));
      const own = weir.follow(topic, (record) => ownLive.see(record));

      await send(0, 30, 'commit');
      await send(30, 40, 'abort');
      await send(40, 60, 'commit');
      await send(60, 70, 'leave open');
      expect(await feeder.flush()).toBeGreaterThanOrEqual(60);

      expect(values(await read('committed'))).toEqual(names(...range(0, 30), ...range(40, 60)));
      expect(values(await read('uncommitted'))).toEqual(names(...range(0, 70)));
      const open = await java.openTransactions(topic);
      expect(open.length).toBeGreaterThan(0);
      expect(open[0]).toMatch(/-records-\d: producer \d+, epoch \d+, since offset \d+/);
      const ends = await java.ends(topic);
      expect(ends.some(({ lastStable, highWatermark }) => lastStable < highWatermark)).toBe(true);

      await feeder.endTransaction('commit');
      await feeder.flush();
      await java.unfollow(topic);
      await own.finish();
      expect(live.count).toBe(60);
      expect(ownLive.differences('Weir', live, 'Java')).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    "agrees with Weir's reader, and with core on where Java puts a key",
    async () => {
      const trail = new SeenTrail();
      const records = await read('committed');
      for (const record of records) trail.see(record);
      const own = new SeenTrail();
      await weir.read(topic, (record) => own.see(record));
      expect(own.differences('Weir', trail, 'Java')).toEqual([]);
      for (const { partition, home, key } of records)
        expect([home, PARTITIONERS.murmur2(key!, 0, key!.length, PARTITIONS)]).toEqual([partition, partition]);
    },
    LIMIT_MS,
  );

  it(
    'finds the last committed record of a key in each partition, also far from the end',
    async () => {
      expect(await java.last(topic, Buffer.from('nobody'))).toEqual(new Map());
      for (const value of ['old', 'new']) await feeder.send({ key: 'once', value });
      await feeder.endTransaction('commit');
      await feeder.send({ key: 'once', value: 'never' });
      await feeder.endTransaction('abort');
      await send(1_000, 1_600, 'commit');
      await feeder.flush();
      expect([...(await java.last(topic, Buffer.from('once'))).values()].map(String)).toEqual(['new']);
    },
    LIMIT_MS,
  );

  it(
    'knows the ends of a topic, none of one that does not exist, and no offsets of a group that never was',
    async () => {
      const ends = await java.ends(topic);
      expect(ends.map(({ partition }) => partition)).toEqual([0, 1, 2]);
      expect(ends.every(({ start, lastStable, highWatermark }) => start === 0 && lastStable === highWatermark && highWatermark > 0)).toBe(
        true,
      );
      expect(await java.ends(`${prefix}-nothing`)).toEqual([]);
      expect(await java.groupOffsets(`${prefix}-nobody`, topic)).toEqual(new Map());
      expect(await java.openTransactions(topic)).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    'says what went wrong, and goes on',
    async () => {
      await expect(java.openTransactions(`${prefix}-nothing`)).rejects.toThrow('UnknownTopicOrPartition');
      expect((await java.ends(topic)).length).toBe(PARTITIONS);
    },
    LIMIT_MS,
  );
});
