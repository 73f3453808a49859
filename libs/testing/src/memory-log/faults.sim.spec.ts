import { describe, expect, it } from '@jest/globals';
import { generation, offset, sleep, type LogWriter } from '@weir/core';
import { columnsOf } from '../log-record.js';
import { ManualClock } from '../manual-clock.js';
import { type SeededRandom } from '../seeded-random.js';
import { LIFELIKE, type ClusterOptions } from './cluster-options.js';
import { CRASH_POINTS, type CrashPoint, type FaultAction, type FaultPoint, touches } from './fault-plan.js';
import { InMemoryCluster } from './in-memory-cluster.js';
import type { InMemoryLog } from './memory-log.js';

const TOPIC = 'topic';
const GROUP = { groupId: 'group', generation: generation(-1), memberId: '' };

interface Rig {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly log: InMemoryLog;
}

function rig(options: Partial<ClusterOptions> = {}): Rig {
  const clock = new ManualClock();
  const cluster = new InMemoryCluster({ clock, ...options });
  cluster.createTopic(TOPIC, 2);
  return { clock, cluster, log: cluster.log({ clock, clientId: 'victim' }) };
}

const open = (log: InMemoryLog, transactionalId = 'writer'): Promise<LogWriter> => log.openWriter({ transactionalId, transactionTimeoutMs: 60_000 });

/** One task's commit: output, then offsets, then the end. */
async function commit(writer: LogWriter, value: string, at = 1): Promise<void> {
  const transaction = writer.begin();
  try {
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value }]) }]);
    await transaction.addOffsets(GROUP, [{ topic: TOPIC, partition: 1, offset: offset(at) }]);
    await transaction.commit();
  } catch (thrown) {
    await transaction.abort().catch(() => undefined);
    throw thrown;
  }
}

const values = ({ cluster }: Rig): (string | undefined)[] => cluster.committedRecords(TOPIC, 0).map(({ value }) => value?.toString());
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined, (thrown: unknown) => thrown);

describe('a lost message', () => {
  const points = ['openWriter:send', 'openWriter:applied', 'append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied'] as const;

  it.each(points)('at %s is sent again by the client, and has no second effect', async (point) => {
    const it = rig();
    const fault = it.cluster.faults.at(point, { type: 'lose' }, { times: 3 });
    await it.clock.settled(open(it.log).then((writer) => commit(writer, 'a')));
    expect(fault.hits).toBe(3);
    expect(values(it)).toEqual(['a']);
    expect(it.cluster.allRecords(TOPIC, 0)).toHaveLength(2);
    expect(it.cluster.committedOffsets('group')).toHaveLength(1);
    expect(it.cluster.openTransactions()).toEqual([]);
  });

  it('at abort leaves nothing behind when no call of the transaction had arrived either', async () => {
    const it = rig();
    const writer = await open(it.log);
    await commit(writer, 'a');
    it.cluster.faults.at('append:send', { type: 'fail', error: new Error('cable cut') });
    const transaction = writer.begin();
    await failure(transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'b' }]) }]));
    await transaction.abort();
    await commit(writer, 'c');
    expect(values(it)).toEqual(['a', 'c']);
  });

  it('at abort is sent again, too', async () => {
    const it = rig();
    it.cluster.faults.at('abort:applied', { type: 'lose' });
    const transaction = (await open(it.log)).begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    await it.clock.settled(transaction.abort());
    expect([values(it), it.cluster.openTransactions()]).toEqual([[], []]);
  });

  it('at a fetch costs time and no record', async () => {
    const it = rig();
    it.cluster.produce(TOPIC, 0, [{ value: 'a' }, { value: 'b' }]);
    const faults = [it.cluster.faults.at('fetch:send', { type: 'lose' }), it.cluster.faults.at('fetch:applied', { type: 'lose' })];
    const reader = it.log.openReader({ wake: () => undefined, bufferBytes: 100 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    await it.clock.advance(100);
    expect(reader.take()?.records.count).toBe(2);
    expect(faults.map((fault) => fault.hits)).toEqual([1, 1]);
  });
});

describe('a commit whose reply is lost', () => {
  it('is committed at once, and resolves when the client has asked again', async () => {
    const it = rig({ retryMs: 50 });
    const writer = await open(it.log);
    it.cluster.faults.at('commit:applied', { type: 'lose' });
    let resolved = false;
    void commit(writer, 'a').then(() => (resolved = true));
    await it.clock.advance(49);
    expect([values(it), resolved]).toEqual([['a'], false]);
    await it.clock.advance(1);
    expect(resolved).toBe(true);
  });

  it('rejects as fenced when another writer has come meanwhile: this one may not know (L4)', async () => {
    const it = rig({ retryMs: 50 });
    const writer = await open(it.log);
    it.cluster.faults.at('commit:applied', { type: 'lose' });
    const outcome = failure(commit(writer, 'a'));
    await it.clock.advance(10);
    await open(it.cluster.log({ clock: it.clock, clientId: 'rival' }));
    await it.clock.advance(50);
    expect(await outcome).toMatchObject({ kind: 'fenced' });
    expect(values(it)).toEqual(['a']);
  });

  it('rejects as fenced when the client closes before it knows', async () => {
    const it = rig({ retryMs: 50 });
    const writer = await open(it.log);
    it.cluster.faults.at('commit:applied', { type: 'lose' });
    const transaction = writer.begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    const outcome = failure(transaction.commit());
    await it.clock.advance(10);
    await it.log.close();
    await it.clock.advance(50);
    expect(await outcome).toMatchObject({ kind: 'fenced', code: 'LOG_OUTCOME_UNKNOWN' });
  });
});

describe('an error', () => {
  it('at commit:send reaches the caller, and nothing was committed', async () => {
    const it = rig();
    const error = new Error('cable cut');
    it.cluster.faults.at('commit:send', { type: 'fail', error });
    const writer = await open(it.log);
    expect(await failure(commit(writer, 'a'))).toBe(error);
    expect(values(it)).toEqual([]);
    await commit(writer, 'b');
    expect(values(it)).toEqual(['b']);
  });

  it('at append:applied reaches the caller although the record is there, and the transaction can only be aborted', async () => {
    const it = rig();
    it.cluster.faults.at('append:applied', { type: 'fail', error: new Error('cable cut') });
    const transaction = (await open(it.log)).begin();
    await failure(transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]));
    expect(it.cluster.allRecords(TOPIC, 0)).toMatchObject([{ outcome: 'open' }]);
    expect(await failure(transaction.commit())).toMatchObject({ code: 'LOG_TRANSACTION_FAILED' });
    await transaction.abort();
    expect([values(it), it.cluster.openTransactions()]).toEqual([[], []]);
  });

  it('at a fetch is thrown by take', async () => {
    const it = rig();
    const error = new Error('unreadable');
    it.cluster.faults.at('fetch:applied', { type: 'fail', error }, { when: touches(TOPIC) });
    let wakes = 0;
    const reader = it.log.openReader({ wake: () => wakes++, bufferBytes: 100 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    await it.clock.advance(1);
    expect(wakes).toBe(1);
    expect(() => reader.take()).toThrow(error);
  });

  it('is refused where a real log could not have it', () => {
    const { faults } = rig().cluster;
    const refused = expect.objectContaining({ code: 'FAULT_BREAKS_PORT' });
    expect(() => faults.at('commit:applied', { type: 'fail', error: new Error('x') })).toThrow(refused);
    expect(() => faults.at('append:replied', { type: 'lose' })).toThrow(refused);
  });
});

describe('a client that is killed', () => {
  const outcomes: Record<Exclude<CrashPoint, 'midRestore'>, { stored: number; committed: boolean }> = {
    beforeProduce: { stored: 0, committed: false },
    producedOffsetsNotSent: { stored: 1, committed: false },
    beforeEndTxn: { stored: 1, committed: false },
    endTxnReplyLost: { stored: 2, committed: true },
    committedStateNotWritten: { stored: 2, committed: true },
  };

  it.each(Object.entries(outcomes))('at %s leaves the log as Kafka would, and never hears of it', async (name, { stored, committed }) => {
    const it = rig();
    const writer = await open(it.log);
    const fault = it.cluster.faults.at(CRASH_POINTS[name as CrashPoint], { type: 'kill' });
    let settled = false;
    void failure(commit(writer, 'a')).then(() => (settled = true));
    await it.clock.advance(1_000);
    expect([fault.hits, settled, it.log.isAlive]).toEqual([1, false, false]);
    expect(it.cluster.allRecords(TOPIC, 0)).toHaveLength(stored);
    expect(it.cluster.committedOffsets('group')).toHaveLength(committed ? 1 : 0);
    const successor = await open(it.cluster.log({ clock: it.clock, clientId: 'successor' }));
    await commit(successor, 'b');
    expect(values(it)).toEqual(committed ? ['a', 'b'] : ['b']);
    expect(it.cluster.openTransactions()).toEqual([]);
  });

  it('in the middle of a restore gets nothing more to read', async () => {
    const it = rig({ chunkRows: [2, 2] });
    for (let i = 0; i < 10; i++) it.cluster.produce(TOPIC, 0, [{ value: `${i}` }]);
    it.cluster.faults.at(CRASH_POINTS.midRestore, { type: 'kill' }, { when: touches(TOPIC), skip: 2 });
    const reader = it.log.openReader({ wake: () => undefined, bufferBytes: 1 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    let read = 0;
    for (let i = 0; i < 20; i++) {
      await it.clock.advance(1);
      read += reader.take()?.records.count ?? 0;
    }
    expect([read, it.log.isAlive]).toEqual([2, false]);
  });

  it('takes no effect any more with what it had sent, nor with anything it calls later', async () => {
    const it = rig({ travelMs: [10, 10] });
    const writer = await it.clock.settled(open(it.log));
    const transaction = writer.begin();
    const settled: string[] = [];
    void failure(transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }])).then(() => settled.push('append'));
    await it.clock.advance(5);
    it.cluster.kill('victim');
    // Not even an error reaches the dead.
    it.cluster.faults.at('ensureTopics:send', { type: 'fail', error: new Error('planned') });
    void failure(transaction.commit()).then(() => settled.push('commit'));
    void failure(it.log.ensureTopics([{ topic: 'new', partitions: 1, config: {} }])).then(() => settled.push('ensureTopics'));
    void failure(it.log.close()).then(() => settled.push('close'));
    await it.clock.advance(1_000);
    expect([settled, it.cluster.allRecords(TOPIC, 0), it.cluster.topicNames()]).toEqual([[], [], [TOPIC]]);
  });
});

describe('planned faults', () => {
  it('skip, strike and stop as planned, for the calls they are about', async () => {
    const it = rig();
    const error = new Error('planned');
    const fault = it.cluster.faults.at('append:send', { type: 'fail', error }, { skip: 1, times: 2, when: (facts) => facts.transactionalId === 'writer' });
    const [writer, other] = [await open(it.log), await open(it.log, 'other')];
    const outcomes: boolean[] = [];
    for (let i = 0; i < 5; i++) {
      expect(await failure(commit(other, 'other'))).toBeUndefined();
      outcomes.push((await failure(commit(writer, 'mine'))) === undefined);
    }
    expect(outcomes).toEqual([true, false, false, true, true]);
    expect([fault.hits, it.cluster.faults.passed('append:send')]).toEqual([2, 10]);
  });

  it('delay a call by the clock, and let a rival act at that very point', async () => {
    const it = rig();
    const writer = await open(it.log);
    it.cluster.faults.at('append:send', { type: 'delay', ms: 70 });
    const committed = commit(writer, 'a');
    await it.clock.advance(69);
    expect(it.cluster.allRecords(TOPIC, 0)).toEqual([]);
    await it.clock.settled(committed);
    const rival = it.cluster.log({ clock: it.clock, clientId: 'rival' });
    it.cluster.faults.at('commit:send', { type: 'run', run: () => void open(rival) });
    expect(await failure(commit(writer, 'b'))).toMatchObject({ kind: 'fenced' });
    expect(values(it)).toEqual(['a']);
  });

  it('are gone once removed or cleared', async () => {
    const it = rig();
    const action: FaultAction = { type: 'fail', error: new Error('planned') };
    it.cluster.faults.at('append:send', action).remove();
    it.cluster.faults.at('commit:send', action);
    it.cluster.faults.clear();
    await commit(await open(it.log), 'a');
    expect(values(it)).toEqual(['a']);
  });
});

/** Writers of one id come and go, while messages are lost and clients are killed; each value is written until its commit is certain. */
async function storm(seed: number): Promise<{ committed: (string | undefined)[]; everything: unknown; offsets: unknown; kills: number; fencings: number }> {
  const clock = new ManualClock({ seed });
  const cluster = new InMemoryCluster({ clock, seed, ...LIFELIKE });
  cluster.createTopic(TOPIC, 2);
  const points: FaultPoint[] = ['append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied'];
  const kinds = ['lose', 'delay', 'kill'] as const;
  const actionAt = (point: FaultPoint, random: SeededRandom): FaultAction => {
    const type = random.pick(kinds);
    if (type === 'delay') return { type, ms: random.between(1, 50) };
    return { type: point.endsWith(':replied') ? 'kill' : type };
  };
  cluster.faults.randomly({ points, probability: 0.15, action: actionAt });
  let [kills, fencings] = [0, 0];
  let client = cluster.log({ clock, clientId: 'client-0' });
  for (;;) {
    // As a task does it: claim, wait until nothing is open, take the position from what is committed, go on from there.
    const writer = await clock.settled(open(client));
    const done = Number(cluster.committedOffsets('group')[0]?.offset ?? 0);
    if (done === 40) break;
    const outcome = failure(commit(writer, `value ${done}`, done + 1));
    const ended = await clock.settled(Promise.race([outcome, dead(clock, client)]));
    if (ended === 'dead') {
      kills++;
      client = cluster.log({ clock, clientId: `client-${kills}` });
    } else if (ended !== undefined) {
      expect(ended).toMatchObject({ kind: 'fenced' });
      fencings++;
    }
    // Now and then a rival takes the id over at a bad moment.
    if (kills % 5 === 4) void open(cluster.log({ clock, clientId: 'rival' }));
  }
  const everything = [0, 1].map((partition) => cluster.allRecords(TOPIC, partition));
  const it = { clock, cluster, log: client };
  return { committed: values(it), everything, offsets: cluster.committedOffsets('group'), kills, fencings };
}

async function dead(clock: ManualClock, client: InMemoryLog): Promise<'dead'> {
  while (client.isAlive) await sleep(clock, 5);
  return 'dead';
}

describe('a storm of faults', () => {
  const expected = Array.from({ length: 40 }, (_, i) => `value ${i}`);

  it.each(Array.from({ length: 20 }, (_, i) => i + 1))('leaves each value committed once and in order, with its offset (seed %i)', async (seed) => {
    const { committed, kills } = await storm(seed);
    expect(committed).toEqual(expected);
    expect(kills).toBeGreaterThan(0);
  });

  it('goes the same way for the same seed, to the last offset', async () => {
    expect(await storm(5)).toEqual(await storm(5));
    expect((await storm(5)).everything).not.toEqual((await storm(6)).everything);
  });
});
