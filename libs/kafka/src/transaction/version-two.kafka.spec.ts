import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogTransaction, type LogWriter, NO_GENERATION, offset } from '@weir/core';
import { ClusterClient, rows, uniqueName } from '../spec/cluster-client.js';
import { CODE } from '../wire/error-codes.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS, FEATURES, TRANSACTION_CALLS } from '../wire/wire.js';
import { decodeEndTxn, type ProducerIdentity } from './transaction-messages.js';

/** Transactions of version 2 (KIP-890), on a cluster that offers them: what differs from version 1, and fencing all the same. */
const { endTxn } = TRANSACTION_CALLS[2];
const ADDS = [APIS.addPartitionsToTxn, APIS.addOffsetsToTxn];
const CALLS = ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn', 'InitProducerId'];

let client: ClusterClient;
let topic: string;

beforeEach(async () => {
  client = new ClusterClient();
  topic = await client.topic();
  // A cluster without them makes these specs say nothing: better to fail.
  const writer = await client.writer();
  await commit(writer, 'probe');
  expect(identities()).not.toEqual([]);
  client.wire.requests.length = 0;
});
afterEach(() => client.end());

const append = (transaction: LogTransaction, value: string): Promise<unknown> => transaction.append([{ topic, partition: 0, records: rows(value) }]);

async function commit(writer: LogWriter, value: string): Promise<void> {
  const transaction = writer.begin();
  await append(transaction, value);
  await transaction.commit();
}

const addOffsets = (transaction: LogTransaction): Promise<void> =>
  transaction.addOffsets({ groupId: uniqueName('group'), generation: NO_GENERATION, memberId: '' }, [{ topic, partition: 0, offset: offset(1) }]);

/** What the answers to EndTxn said comes next. */
function identities(): ProducerIdentity[] {
  const answers = client.wire.requests.flatMap(({ api, answer }) => (api === endTxn.name && answer !== undefined ? [decodeEndTxn(endTxn, answer)] : []));
  return answers.flatMap(({ error, next }) => (error === CODE.NONE && next !== undefined ? [next] : []));
}

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it was taken',
    (thrown: unknown) => thrown,
  );
const FENCED = { kind: 'fenced', code: 'KAFKA_WRITER_FENCED' };

/** An answer that knows every call, and no feature. */
function withoutFeatures(): Buffer {
  const out = new ProtocolWriter(FEATURES.flexible).int16(CODE.NONE);
  out.array(Object.values(TRANSACTION_CALLS[2]), ({ key, version }) => out.int16(key).int16(0).int16(version).tags());
  return Buffer.concat(out.int32(0).tags().finish());
}

describe('a transaction of version 2', () => {
  it('adds nothing to itself by calls of their own, and its end says what comes next: a higher epoch each time', async () => {
    const writer = await client.writer();
    for (let i = 0; i < 3; i++) {
      const transaction = writer.begin();
      await append(transaction, `value ${i}`);
      await addOffsets(transaction);
      await (i === 1 ? transaction.abort() : transaction.commit());
    }
    expect(ADDS.map((api) => client.wire.count(api))).toEqual([0, 0]);
    const [first, ...others] = identities();
    expect(others.length).toBeGreaterThanOrEqual(2);
    for (const next of others) expect(next.producerId).toBe(first!.producerId);
    const epochs = [...new Set(identities().map(({ producerEpoch }) => producerEpoch))];
    expect(epochs).toEqual([0, 1, 2].map((i) => first!.producerEpoch + i));
    expect(client.wire.count(APIS.initProducerId)).toBeGreaterThanOrEqual(1);
    expect(await client.values(topic)).toEqual(['probe', 'value 0', 'value 2']);
  });

  it('takes fewer requests than one of version 1', async () => {
    const requests = async (transactionVersion: 'auto' | 1): Promise<number> => {
      const other = new ClusterClient({ transactionVersion });
      const writer = await other.writer();
      await commitOnce(writer);
      other.wire.requests.length = 0;
      await commitOnce(writer);
      // Those that were asked again, because the coordinator was busy, say nothing of the version.
      const kinds = new Set(other.wire.requests.filter(({ api }) => CALLS.includes(api)).map(({ api, body }) => `${api} ${body.toString('hex')}`));
      await other.end();
      return kinds.size;
    };
    const commitOnce = async (writer: LogWriter): Promise<void> => {
      const transaction = writer.begin();
      await append(transaction, 'output');
      await transaction.append([{ topic: state, partition: 0, records: rows('state') }]);
      await addOffsets(transaction);
      await transaction.commit();
    };
    const state = await client.topic();
    expect([await requests(1), await requests('auto')]).toEqual([7, 4]);
  });

  it('is not spoken to a cluster that has not agreed on it', async () => {
    client.wire.strike(FEATURES, withoutFeatures());
    await commit(await client.writer(), 'value');
    expect(client.wire.count(APIS.addPartitionsToTxn)).toBeGreaterThan(0);
    expect(await client.values(topic)).toEqual(['probe', 'value']);
  });

  it('is left without a trace by an abort before anything of it arrived', async () => {
    const writer = await client.writer();
    const transaction = writer.begin();
    client.wire.strike(TRANSACTION_CALLS[2].produce, 'unreachable', Infinity);
    const failing = refusal(append(transaction, 'never sent'));
    const aborting = transaction.abort();
    client.wire.fault = () => undefined;
    await Promise.all([failing, aborting]);
    await commit(writer, 'value');
    expect((await client.values(topic)).at(-1)).toBe('value');
  });
});

describe('trap 2, in version 2: the answer to EndTxn is lost', () => {
  it.each(['commit', 'abort'] as const)('is asked for under the same identity, and gives the same next one: %s', async (ending) => {
    const writer = await client.writer();
    const first = writer.begin();
    await append(first, 'first');
    client.wire.strike(endTxn, 'reply lost', 2);
    await first[ending]();
    const asked = client.wire.requests.filter(({ api }) => api === endTxn.name);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(new Set(asked.map(({ body }) => body.toString('hex'))).size).toBe(1);
    await commit(writer, 'second');
    expect(await client.values(topic)).toEqual(ending === 'commit' ? ['probe', 'first', 'second'] : ['probe', 'second']);
  });
});

describe('a writer whose id was claimed by another, in version 2', () => {
  it('is fenced between two transactions', async () => {
    const zombie = await client.writer();
    await commit(zombie, 'before');
    const owner = await client.writer(zombie.transactionalId);
    const late = zombie.begin();
    expect(await refusal(append(late, 'zombie'))).toMatchObject(FENCED);
    expect(() => zombie.begin()).toThrow(expect.objectContaining(FENCED));
    await commit(owner, 'after');
    expect(await client.values(topic)).toEqual(['probe', 'before', 'after']);
  });

  it.each(['append', 'addOffsets', 'commit', 'abort'] as const)('is fenced amid a transaction at its %s: it neither ends that of the other nor takes its identity', async (act) => {
    const zombie = await client.writer();
    const open = zombie.begin();
    await append(open, 'zombie');
    const owner = await client.writer(zombie.transactionalId);
    const owned = owner.begin();
    await append(owned, 'owner 1');
    const acts = { append: () => append(open, 'zombie'), addOffsets: () => addOffsets(open), commit: () => open.commit(), abort: () => open.abort() };
    expect(await refusal(acts[act]())).toMatchObject({ kind: 'fenced' });
    await append(owned, 'owner 2');
    await owned.commit();
    expect(() => zombie.begin()).toThrow(expect.objectContaining(FENCED));
    await commit(owner, 'owner 3');
    expect(await client.values(topic)).toEqual(['probe', 'owner 1', 'owner 2', 'owner 3']);
  });

  it('is fenced although its commit was carried out and the answer lost: what it does next is refused', async () => {
    const zombie = await client.writer();
    const committed = zombie.begin();
    await append(committed, 'before');
    client.wire.strike(endTxn, 'reply lost', Infinity);
    const outcome = refusal(committed.commit());
    await client.stableEnd(topic);
    const successor = new ClusterClient();
    const owner = await successor.writer(zombie.transactionalId);
    client.wire.fault = () => undefined;
    expect(await outcome).toMatchObject({ kind: 'fenced' });
    await commit(owner, 'after');
    await successor.end();
    expect(await client.values(topic)).toEqual(['probe', 'before', 'after']);
  });
});
