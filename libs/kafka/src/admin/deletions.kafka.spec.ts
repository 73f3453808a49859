import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { offset, type PartitionOffset } from '@weir/core';
import { ClusterClient, rows } from '../spec/cluster-client.js';
import { CODE } from '../wire/error-codes.js';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

let client: ClusterClient;
let topic: string;

beforeEach(async () => {
  client = new ClusterClient();
  topic = await client.topic(2);
  const transaction = (await client.writer()).begin();
  await transaction.append([0, 1].map((partition) => ({ topic, partition, records: rows('a', 'b', 'c') })));
  await transaction.commit();
  for (const partition of [0, 1]) await client.stableEnd(topic, partition);
});
afterEach(() => client.end());

const at = (partition: number, before: number): PartitionOffset => ({ topic, partition, offset: offset(before) });
const starts = async (): Promise<number[]> => (await client.log.endPositions([at(0, 0), at(1, 0)])).map(({ start }) => start);

/** An answer that has one code per partition. */
function answer(codes: readonly number[]): Buffer {
  const out = new ProtocolWriter(true);
  out.int32(0).count(1).string(topic);
  out.array([...codes.entries()], ([partition, code]) => out.int32(partition).int64(-1).int16(code).tags());
  return Buffer.concat(out.tags().tags().finish());
}

/** Partitions of each DeleteRecords request, in order. */
const asked = (): number[][] =>
  client.wire.requests.filter(({ api }) => api === APIS.deleteRecords.name).map(({ body }) => {
    const from = new ProtocolReader(APIS.deleteRecords, body);
    return from.array(() => {
      from.string();
      const partitions = from.array(() => {
        const partition = from.int32();
        from.int64();
        from.tags();
        return partition;
      });
      from.tags();
      return partitions;
    }).flat();
  });

const metadataAsked = (): number => client.wire.count(APIS.metadata);

describe('the deletion of records', () => {
  it('asks for the leader again when it has moved, and repeats only what is not done', async () => {
    await client.log.deleteRecordsBefore([at(0, 0), at(1, 0)]);
    const before = metadataAsked();
    client.wire.strike(APIS.deleteRecords, answer([CODE.NONE, CODE.NOT_LEADER_OR_FOLLOWER]));
    await client.log.deleteRecordsBefore([at(0, 1), at(1, 2)]);
    expect(asked()).toEqual([[0, 1], [0, 1], [1]]);
    expect(metadataAsked()).toBe(before + 1);
    expect(await starts()).toEqual([0, 2]); // the spec's own answer for 0 was not true
  });

  it.each(['unreachable', 'reply lost', 'late'] as const)('is repeated after a request that was %s', async (fault) => {
    await client.log.deleteRecordsBefore([at(0, 0), at(1, 0)]);
    const before = metadataAsked();
    client.wire.strike(APIS.deleteRecords, fault, 2);
    await client.log.deleteRecordsBefore([at(0, 1), at(1, 2)]);
    expect(asked()).toHaveLength(4);
    expect(metadataAsked()).toBeGreaterThan(before);
    expect(await starts()).toEqual([1, 2]);
    // A copy that arrives after a later deletion takes nothing back.
    await client.log.deleteRecordsBefore([at(0, 3), at(1, 3)]);
    await client.wire.deliverLate();
    expect(await starts()).toEqual([3, 3]);
  });

  it('waits for no replica that is behind: its leader has done it', async () => {
    client.wire.strike(APIS.deleteRecords, answer([CODE.REQUEST_TIMED_OUT, CODE.NONE]));
    await client.log.deleteRecordsBefore([at(0, 1), at(1, 1)]);
    expect(asked()).toEqual([[0, 1]]);
  });

  it('repeats what an answer leaves out', async () => {
    client.wire.strike(APIS.deleteRecords, answer([CODE.NONE]));
    await client.log.deleteRecordsBefore([at(0, 1), at(1, 1)]);
    expect(asked()).toEqual([[0, 1], [1]]);
    expect(await starts()).toEqual([0, 1]);
  });

  it('is refused, and not repeated, where this client may not delete', async () => {
    client.wire.strike(APIS.deleteRecords, answer([CODE.TOPIC_AUTHORIZATION_FAILED, CODE.NONE]));
    const deletion = client.log.deleteRecordsBefore([at(0, 1), at(1, 1)]);
    await expect(deletion).rejects.toMatchObject({ kind: 'invalid', code: 'KAFKA_CALL_REFUSED' });
    expect(asked()).toHaveLength(1);
  });
});
