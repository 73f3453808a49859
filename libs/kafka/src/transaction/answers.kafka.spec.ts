import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogTransaction, type LogWriter, NO_GENERATION, offset } from '@weir/core';
import { ClusterClient, rows, uniqueName } from '../spec/cluster-client.js';
import { refusalsOf } from '../spec/refusals.js';
import { CODE } from '../wire/error-codes.js';

/**
 * Which answer to which call of a transaction means what. Each row puts one answer in the cluster's place, to a real transaction on a real
 * cluster, so that what it leads to is judged by what readers see.
 */
type Answers = Readonly<Record<string, readonly (keyof typeof CODE | 'UNKNOWN_SERVER_ERROR')[]>>;
type Row = readonly [call: string, answer: string, code: number];

const COORDINATOR = ['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS', 'CONCURRENT_TRANSACTIONS'] as const;
const NETWORK = ['REQUEST_TIMED_OUT', 'NETWORK_EXCEPTION'] as const;
const LEADER = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
  'UNKNOWN_TOPIC_OR_PARTITION',
] as const;
const REPLICAS = ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'] as const;

/** It is asked again, until the transaction is committed: once. */
const AGAIN: Answers = {
  FindCoordinator: ['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS', ...NETWORK],
  InitProducerId: [...COORDINATOR, ...NETWORK],
  AddPartitionsToTxn: [...COORDINATOR, ...NETWORK, 'UNKNOWN_TOPIC_OR_PARTITION'],
  Produce: [...LEADER, ...REPLICAS, ...COORDINATOR, ...NETWORK, 'CORRUPT_MESSAGE'],
  AddOffsetsToTxn: [...COORDINATOR, ...NETWORK],
  TxnOffsetCommit: [...COORDINATOR, ...NETWORK, 'UNSTABLE_OFFSET_COMMIT', 'UNKNOWN_TOPIC_OR_PARTITION'],
  EndTxn: [...COORDINATOR, ...NETWORK, 'UNKNOWN_SERVER_ERROR'],
};

/** Another writer has the id, or the log has ended the transaction. */
const ENDED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'] as const;
const FENCED: Answers = { AddPartitionsToTxn: ENDED, Produce: ENDED, AddOffsetsToTxn: ENDED, TxnOffsetCommit: ENDED, EndTxn: ENDED };

/** The transaction is lost, and the writer is not: what it does next is whole. */
const LOST = ['INVALID_TXN_STATE', 'TRANSACTION_ABORTABLE', 'UNKNOWN_SERVER_ERROR'] as const;
const RESTART: Answers = {
  AddPartitionsToTxn: LOST,
  Produce: [...LOST, 'UNKNOWN_PRODUCER_ID', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  AddOffsetsToTxn: LOST,
  TxnOffsetCommit: LOST,
  EndTxn: ['TRANSACTION_ABORTABLE'],
};

/** Trying again cannot help. */
const INVALID: Answers = {
  FindCoordinator: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
  InitProducerId: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'INVALID_TRANSACTION_TIMEOUT'],
  AddPartitionsToTxn: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED'],
  Produce: ['TOPIC_AUTHORIZATION_FAILED', 'INVALID_RECORD'],
  AddOffsetsToTxn: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED'],
  TxnOffsetCommit: ['GROUP_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED'],
  EndTxn: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
};

const STALE: Answers = { TxnOffsetCommit: ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'REBALANCE_IN_PROGRESS'] };

describe.each([1, 2] as const)('an answer in a transaction of version %i', (version) => {
  const rowsOf = (answers: Answers): Row[] =>
    Object.entries(answers)
      .filter(([call]) => version === 1 || (call !== 'AddPartitionsToTxn' && call !== 'AddOffsetsToTxn'))
      .flatMap(([call, names]) => names.map((name): Row => [call, name, name === 'UNKNOWN_SERVER_ERROR' ? -1 : CODE[name]]));
  let client: ClusterClient;
  let topic: string;
  let writer: LogWriter;
  let values: string[];

  beforeAll(() => {
    client = new ClusterClient({ transactionVersion: version === 1 ? 1 : 'auto' });
  });
  afterAll(() => client.end());
  beforeEach(async () => {
    client.wire.fault = () => undefined;
    topic = await client.topic();
    values = [];
  });

  /** The next `times` answers to a call are these. */
  function answer(call: string, code: number, times: number): void {
    const refusal = refusalsOf(version, { topic, partition: 0 })[call]!(code);
    client.wire.strike({ name: call }, refusal, times);
  }

  const addOffsets = (transaction: LogTransaction): Promise<void> =>
    transaction.addOffsets({ groupId: uniqueName('group'), generation: NO_GENERATION, memberId: '' }, [{ topic, partition: 0, offset: offset(1) }]);

  async function transact(value: string): Promise<void> {
    const transaction = writer.begin();
    try {
      await transaction.append([{ topic, partition: 0, records: rows(value) }]);
      await addOffsets(transaction);
      await transaction.commit();
      values.push(value);
    } catch (thrown) {
      await transaction.abort().catch(() => undefined);
      throw thrown;
    }
  }

  const seen = async (): Promise<void> => expect(await client.values(topic)).toEqual(values);

  it.each(rowsOf(AGAIN))('to %s is asked for again, and committed once: %s', async (call, _, code) => {
    answer(call, code, 2);
    writer = await client.writer();
    await transact('value');
    await seen();
    await transact('next');
    await seen();
  });

  it.each(rowsOf(FENCED))('to %s fences the writer: %s', async (call, _, code) => {
    writer = await client.writer();
    answer(call, code, 1);
    await expect(transact('value')).rejects.toMatchObject({ kind: 'fenced' });
    expect(() => writer.begin()).toThrow(expect.objectContaining({ kind: 'fenced' }));
    writer = await client.writer(writer.transactionalId);
    await transact('by the next');
    await seen();
  });

  it.each(rowsOf(RESTART))('to %s loses the transaction, not the writer: %s', async (call, _, code) => {
    writer = await client.writer();
    answer(call, code, 1);
    await expect(transact('value')).rejects.toMatchObject({ kind: 'restart-task' });
    await transact('next');
    await seen();
  });

  it(`to EndTxn, that there is no such transaction, ${version === 1 ? 'loses it' : 'means that the log has ended it'}`, async () => {
    writer = await client.writer();
    answer('EndTxn', CODE.INVALID_TXN_STATE, 1);
    await expect(transact('value')).rejects.toMatchObject({ kind: version === 1 ? 'restart-task' : 'fenced' });
    if (version === 2) writer = await client.writer(writer.transactionalId);
    await transact('next');
    await seen();
  });

  it.each(rowsOf(INVALID))('to %s is an error for people: %s', async (call, name, code) => {
    answer(call, code, 1);
    const attempt = async (): Promise<void> => {
      writer = await client.writer();
      await transact('value');
    };
    const thrown: unknown = await attempt().catch((error: unknown) => error);
    expect(thrown).toMatchObject({ kind: 'invalid' });
    expect((thrown as Error).message).toContain(name);
    await seen();
  });

  it.each(rowsOf(STALE))('to %s is repaired in the name of a present member: %s', async (call, _, code) => {
    writer = await client.writer();
    const transaction = writer.begin();
    await transaction.append([{ topic, partition: 0, records: rows('value') }]);
    answer(call, code, 1);
    await expect(addOffsets(transaction)).rejects.toMatchObject({ kind: 'fenced', code: 'LOG_MEMBER_STALE' });
    await addOffsets(transaction);
    await transaction.commit();
    values.push('value');
    await seen();
  });
});

describe('an answer about a partition', () => {
  let client: ClusterClient;
  beforeAll(() => {
    client = new ClusterClient();
  });
  afterAll(() => client.end());

  const calls = ['ListOffsets', 'OffsetForLeaderEpoch', 'DeleteRecords', 'Metadata'] as const;
  const errors = { ListOffsets: [...LEADER, 'OFFSET_NOT_AVAILABLE'], OffsetForLeaderEpoch: LEADER, DeleteRecords: LEADER, Metadata: ['LEADER_NOT_AVAILABLE'] } as const;
  it.each(calls.flatMap((call) => errors[call].map((name) => [call, name] as const)))('to %s is asked for again: %s', async (call, name) => {
    const topic = await client.topic();
    const at = { topic, partition: 0 };
    const appender = await client.log.openAppender();
    await appender.append([{ ...at, records: rows('a', 'b', 'c') }]);
    await appender.close();
    client.wire.strike({ name: call }, refusalsOf(1, at)[call]!(CODE[name]), 2);
    const acts = {
      ListOffsets: () => client.log.endPositions([at]),
      OffsetForLeaderEpoch: () => client.log.epochEnd(at, 0),
      DeleteRecords: () => client.log.deleteRecordsBefore([{ ...at, offset: offset(2) }]),
      Metadata: () => client.log.describeTopic(topic),
    };
    const expected = { ListOffsets: [{ start: 0, highWatermark: 3 }], OffsetForLeaderEpoch: 3, DeleteRecords: undefined, Metadata: { partitions: 1 } }[call];
    const result: unknown = await acts[call]();
    if (typeof expected === 'object') expect(result).toMatchObject(expected);
    else expect(result).toBe(expected);
    if (call === 'DeleteRecords') expect(await client.log.endPositions([at])).toMatchObject([{ start: 2 }]);
  });
});
