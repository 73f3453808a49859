import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NO_GENERATION, RecordWriter, generation, offset, sleep, type LogTransaction } from '@weir/core';
import type { KafkaOptions } from '../options.js';
import { ClusterClient, clock, rows, uniqueName } from '../spec/cluster-client.js';
import { type Api, APIS, type TransactionVersion } from '../wire/wire.js';

let client: ClusterClient;
let topic: string;


const append = (transaction: LogTransaction, ...values: string[]): Promise<unknown> =>
  transaction.append([{ topic, partition: 0, records: rows(...values) }]);

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it was taken',
    (thrown: unknown) => thrown,
  );

/** EndTxn bodies end with one byte: commit or abort. Behind it flexible ones, of version 2, have the byte that says: no tagged fields. */
const endings = (version: TransactionVersion): string[] =>
  client.wire.requests.filter(({ api }) => api === 'EndTxn').map(({ body }) => (body.at(-version) === 1 ? 'commit' : 'abort'));

/** How often a producer was given: a coordinator that is still loading, or busy with the last transaction, is asked again. */
const producersGiven = (): number =>
  client.wire.requests.filter(({ api, answer }) => api === APIS.initProducerId.name && answer?.readInt16BE(4) === 0).length;

/** What version 2 does without: Produce and TxnOffsetCommit add what they write to. */
const ADDS: readonly Api[] = [APIS.addPartitionsToTxn, APIS.addOffsetsToTxn];

describe.each([1, 2] as const)('transactions of version %i', (version) => {
  const options: Partial<KafkaOptions> = { transactionVersion: version === 1 ? 1 : 'auto' };
  beforeEach(async () => {
    client = new ClusterClient(options);
    topic = await client.topic();
  });
  afterEach(() => client.end());

  describe('trap 2: a commit whose answer is lost', () => {
    it('resolves, is there once, and the producer is renewed before its next transaction', async () => {
      const writer = await client.writer();
      const first = writer.begin();
      await append(first, 'first');
      client.wire.strike(APIS.endTxn, 'reply lost', 2);
      await first.commit();
      // Two answers are lost, so it asks three times; more often while the coordinator is still busy with the first.
      expect(endings(version).length).toBeGreaterThanOrEqual(3);
      expect(new Set(endings(version))).toEqual(new Set(['commit']));
      expect(producersGiven()).toBe(1);
      const second = writer.begin();
      expect(producersGiven()).toBe(1);
      await append(second, 'second');
      expect(producersGiven()).toBe(3 - version); // in version 2 the commit itself has raised the epoch
      await second.commit();
      expect(await client.values(topic)).toEqual(['first', 'second']);
    });

    it('cannot end the next transaction with a copy that arrives late', async () => {
      const writer = await client.writer();
      const first = writer.begin();
      await append(first, 'first');
      client.wire.strike(APIS.endTxn, 'late');
      await first.commit();
      await client.stableEnd(topic);
      const second = writer.begin();
      await append(second, 'torn 1');
      await client.wire.deliverLate();
      await append(second, 'torn 2');
      await second.abort();
      expect(await client.values(topic)).toEqual(['first']);
    });

    it('is never taken for an abort, however often the coordinator cannot be reached', async () => {
      const writer = await client.writer();
      const transaction = writer.begin();
      await append(transaction, 'kept');
      let left = 8;
      client.wire.fault = ({ api }) => (api === 'EndTxn' && left-- > 0 ? (left % 2 === 0 ? 'reply lost' : 'unreachable') : undefined);
      await transaction.commit();
      expect(new Set(endings(version))).toEqual(new Set(['commit']));
      expect(await client.values(topic)).toEqual(['kept']);
    });

    it('is fenced with an unknown outcome when the log is closed before there is an answer', async () => {
      const transaction = (await client.writer()).begin();
      await append(transaction, 'perhaps');
      client.wire.strike(APIS.endTxn, 'late', Infinity);
      const outcome = refusal(transaction.commit());
      await sleep(clock, 20);
      await client.end();
      expect(await outcome).toMatchObject({ kind: 'fenced', code: 'KAFKA_COMMIT_OUTCOME_UNKNOWN' });
    });
  });

  describe('trap 4: a transaction that expires before its commit', () => {
    it('is refused as fenced, shows nothing, and can be done again by the next writer', async () => {
      const writer = await client.writer(undefined, 1_000);
      const expired = writer.begin();
      await append(expired, 'value');
      await client.stableEnd(topic); // the log has aborted it
      expect(await refusal(expired.commit())).toMatchObject({ kind: 'fenced', code: 'KAFKA_WRITER_FENCED' });
      expect(() => writer.begin()).toThrow(expect.objectContaining({ kind: 'fenced' }));
      const again = (await client.writer(writer.transactionalId)).begin();
      await append(again, 'value');
      await again.commit();
      expect(await client.values(topic)).toEqual(['value']);
    });
  });

  describe('an append whose answer is lost', () => {
    it('is there once, and the next transaction has a new epoch', async () => {
      const writer = await client.writer();
      const transaction = writer.begin();
      client.wire.strike(APIS.produce, 'reply lost', 3);
      const [result] = await transaction.append([{ topic, partition: 0, records: rows('a', 'b') }]);
      expect(result).toMatchObject({ firstOffset: 0, nextOffset: 2 });
      await transaction.commit();
      const inits = producersGiven();
      const next = writer.begin();
      await append(next, 'c');
      await next.commit();
      expect(producersGiven()).toBe(inits + 2 - version);
      expect(await client.values(topic)).toEqual(['a', 'b', 'c']);
    });

    it('is not there again when a copy of it arrives amid the next transaction', async () => {
      const writer = await client.writer();
      const first = writer.begin();
      client.wire.strike(APIS.produce, 'late');
      await append(first, 'first');
      await first.commit();
      const second = writer.begin();
      await append(second, 'second 1');
      await client.wire.deliverLate();
      await append(second, 'second 2');
      await second.commit();
      expect(await client.values(topic)).toEqual(['first', 'second 1', 'second 2']);
    });

    it('keeps order and count over many batches in flight, whatever is lost on the way', async () => {
      await client.end();
      client = new ClusterClient({ ...options, batchBytes: 2_000 });
      const writer = await client.writer();
      const records = new RecordWriter();
      for (let i = 0; i < 5_000; i++) records.add(i, null, Buffer.from(`value ${i}`));
      const transaction = writer.begin();
      let state = 12_345;
      const faults = [undefined, undefined, undefined, 'reply lost', 'unreachable', undefined] as const;
      client.wire.fault = ({ api }) => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        return api === 'Produce' ? faults[Math.floor((state / 2 ** 31) * faults.length)] : undefined;
      };
      const [result] = await transaction.append([{ topic, partition: 0, records: records.columns }]);
      expect(result).toMatchObject({ firstOffset: 0, nextOffset: 5_000 });
      client.wire.fault = () => undefined;
      await transaction.commit();
      expect(await client.values(topic)).toEqual(Array.from({ length: 5_000 }, (_, i) => `value ${i}`));
    });
  });

  describe('every other call of a transaction', () => {
    it.each([APIS.initProducerId, APIS.addPartitionsToTxn, APIS.addOffsetsToTxn, APIS.txnOffsetCommit, APIS.findCoordinator])(
      'may lose its answers, too: $name',
      async (api) => {
        client.wire.strike(api, 'reply lost', 2);
        const writer = await client.writer();
        const transaction = writer.begin();
        await append(transaction, 'value');
        await transaction.addOffsets({ groupId: uniqueName('group'), generation: NO_GENERATION, memberId: '' }, [
          { topic, partition: 0, offset: offset(1) },
        ]);
        await transaction.commit();
        if (version === 1 || !ADDS.includes(api)) expect(client.wire.count(api)).toBeGreaterThan(2);
        else expect(client.wire.count(api)).toBe(0);
        expect(await client.values(topic)).toEqual(['value']);
      },
    );

    it('aborts what was appended when the abort itself loses its answer', async () => {
      const writer = await client.writer();
      const transaction = writer.begin();
      await append(transaction, 'dropped');
      client.wire.strike(APIS.endTxn, 'reply lost');
      await transaction.abort();
      const next = writer.begin();
      await append(next, 'kept');
      await next.commit();
      expect(await client.values(topic)).toEqual(['kept']);
    });
  });

  describe('offsets of a member that is not current', () => {
    it('are refused, and can be sent again with the present generation in the same transaction', async () => {
      const transaction = (await client.writer()).begin();
      await append(transaction, 'value');
      const groupId = uniqueName('group');
      const offsets = [{ topic, partition: 0, offset: offset(1) }];
      const stale = { groupId, generation: generation(7), memberId: 'ghost' };
      expect(await refusal(transaction.addOffsets(stale, offsets))).toMatchObject({ kind: 'fenced', code: 'LOG_MEMBER_STALE' });
      expect(await refusal(transaction.commit())).toMatchObject({ kind: 'restart-task' });
      await transaction.addOffsets({ groupId, generation: NO_GENERATION, memberId: '' }, offsets);
      await transaction.commit();
      expect(await client.values(topic)).toEqual(['value']);
    });
  });
});
