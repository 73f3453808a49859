import { describe, expect, it } from '@jest/globals';
import { generation, offset, sleep, type LogWriter } from '@weir/core';
import { columnsOf } from '../log-record.js';
import { ManualClock } from '../manual-clock.js';
import { type SeededRandom } from '../seeded-random.js';
import { LIFELIKE, type ClusterOptions } from './cluster-options.js';
import { type CallFacts, CRASH_POINTS, type CrashPoint, type FaultAction, type FaultPoint, touches } from './fault-plan.js';
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

const open = (log: InMemoryLog, transactionalId = 'writer'): Promise<LogWriter> =>
  log.openWriter({ transactionalId, transactionTimeoutMs: 60_000 });

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
  const calls = ['openWriter', 'append', 'addOffsets', 'commit'] as const;
  const points = calls.flatMap((call): FaultPoint[] => [`${call}:send`, `${call}:applied`]);

  it.each(points)('at %s is sent again by the client, and has no second effect', async (point) => {
    const sim = rig();
    const fault = sim.cluster.faults.at(point, { type: 'lose' }, { times: 3 });
    await sim.clock.settled(open(sim.log).then((writer) => commit(writer, 'a')));
    expect(fault.hits).toBe(3);
    expect(values(sim)).toEqual(['a']);
    expect(sim.cluster.allRecords(TOPIC, 0)).toHaveLength(2);
    expect(sim.cluster.committedOffsets('group')).toHaveLength(1);
    expect(sim.cluster.openTransactions()).toEqual([]);
  });

  it('at abort leaves nothing behind when no call of the transaction had arrived either', async () => {
    const sim = rig();
    const writer = await open(sim.log);
    await commit(writer, 'a');
    sim.cluster.faults.at('append:send', { type: 'fail', error: new Error('cable cut') });
    const transaction = writer.begin();
    await failure(transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'b' }]) }]));
    await transaction.abort();
    await commit(writer, 'c');
    expect(values(sim)).toEqual(['a', 'c']);
  });

  it('at abort is sent again, too', async () => {
    const sim = rig();
    sim.cluster.faults.at('abort:applied', { type: 'lose' });
    const transaction = (await open(sim.log)).begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    await sim.clock.settled(transaction.abort());
    expect([values(sim), sim.cluster.openTransactions()]).toEqual([[], []]);
  });

  it('at a fetch costs time and no record', async () => {
    const sim = rig();
    sim.cluster.produce(TOPIC, 0, [{ value: 'a' }, { value: 'b' }]);
    const faults = [sim.cluster.faults.at('fetch:send', { type: 'lose' }), sim.cluster.faults.at('fetch:applied', { type: 'lose' })];
    const reader = sim.log.openReader({ wake: () => undefined, bufferBytes: 100 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    await sim.clock.advance(100);
    expect(reader.take()?.records.count).toBe(2);
    expect(faults.map((fault) => fault.hits)).toEqual([1, 1]);
  });
});

describe('a commit whose reply is lost', () => {
  it('is committed at once, and resolves when the client has asked again', async () => {
    const sim = rig({ retryMs: 50 });
    const writer = await open(sim.log);
    sim.cluster.faults.at('commit:applied', { type: 'lose' });
    let resolved = false;
    void commit(writer, 'a').then(() => (resolved = true));
    await sim.clock.advance(49);
    expect([values(sim), resolved]).toEqual([['a'], false]);
    await sim.clock.advance(1);
    expect(resolved).toBe(true);
  });

  it('rejects as fenced when another writer has come meanwhile: this one may not know (L4)', async () => {
    const sim = rig({ retryMs: 50 });
    const writer = await open(sim.log);
    sim.cluster.faults.at('commit:applied', { type: 'lose' });
    const outcome = failure(commit(writer, 'a'));
    await sim.clock.advance(10);
    await open(sim.cluster.log({ clock: sim.clock, clientId: 'rival' }));
    await sim.clock.advance(50);
    expect(await outcome).toMatchObject({ kind: 'fenced' });
    expect(values(sim)).toEqual(['a']);
  });

  it('rejects as fenced when the client closes before it knows', async () => {
    const sim = rig({ retryMs: 50 });
    const writer = await open(sim.log);
    sim.cluster.faults.at('commit:applied', { type: 'lose' });
    const transaction = writer.begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    const outcome = failure(transaction.commit());
    await sim.clock.advance(10);
    await sim.log.close();
    await sim.clock.advance(50);
    expect(await outcome).toMatchObject({ kind: 'fenced', code: 'LOG_OUTCOME_UNKNOWN' });
  });
});

describe('an error', () => {
  it('at commit:send reaches the caller, and nothing was committed', async () => {
    const sim = rig();
    const error = new Error('cable cut');
    sim.cluster.faults.at('commit:send', { type: 'fail', error });
    const writer = await open(sim.log);
    expect(await failure(commit(writer, 'a'))).toBe(error);
    expect(values(sim)).toEqual([]);
    await commit(writer, 'b');
    expect(values(sim)).toEqual(['b']);
  });

  it('at append:applied reaches the caller although the record is there, and the transaction can only be aborted', async () => {
    const sim = rig();
    sim.cluster.faults.at('append:applied', { type: 'fail', error: new Error('cable cut') });
    const transaction = (await open(sim.log)).begin();
    await failure(transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]));
    expect(sim.cluster.allRecords(TOPIC, 0)).toMatchObject([{ outcome: 'open' }]);
    expect(await failure(transaction.commit())).toMatchObject({ code: 'LOG_TRANSACTION_FAILED' });
    await transaction.abort();
    expect([values(sim), sim.cluster.openTransactions()]).toEqual([[], []]);
  });

  it('at a fetch is thrown by take', async () => {
    const sim = rig();
    const error = new Error('unreadable');
    sim.cluster.faults.at('fetch:applied', { type: 'fail', error }, { when: touches(TOPIC) });
    let wakes = 0;
    const reader = sim.log.openReader({ wake: () => wakes++, bufferBytes: 100 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    await sim.clock.advance(1);
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
    const sim = rig();
    const writer = await open(sim.log);
    const fault = sim.cluster.faults.at(CRASH_POINTS[name as CrashPoint], { type: 'kill' });
    let settled = false;
    void failure(commit(writer, 'a')).then(() => (settled = true));
    await sim.clock.advance(1_000);
    expect([fault.hits, settled, sim.log.isAlive]).toEqual([1, false, false]);
    expect(sim.cluster.allRecords(TOPIC, 0)).toHaveLength(stored);
    expect(sim.cluster.committedOffsets('group')).toHaveLength(committed ? 1 : 0);
    const successor = await open(sim.cluster.log({ clock: sim.clock, clientId: 'successor' }));
    await commit(successor, 'b');
    expect(values(sim)).toEqual(committed ? ['a', 'b'] : ['b']);
    expect(sim.cluster.openTransactions()).toEqual([]);
  });

  it('in the middle of a restore gets nothing more to read', async () => {
    const sim = rig({ chunkRows: [2, 2] });
    for (let i = 0; i < 10; i++) sim.cluster.produce(TOPIC, 0, [{ value: `${i}` }]);
    sim.cluster.faults.at(CRASH_POINTS.midRestore, { type: 'kill' }, { when: touches(TOPIC), skip: 2 });
    const reader = sim.log.openReader({ wake: () => undefined, bufferBytes: 1 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    let read = 0;
    for (let i = 0; i < 20; i++) {
      await sim.clock.advance(1);
      read += reader.take()?.records.count ?? 0;
    }
    expect([read, sim.log.isAlive]).toEqual([2, false]);
  });

  it('takes no effect any more with what it had sent, nor with anything it calls later', async () => {
    const sim = rig({ travelMs: [10, 10] });
    const writer = await sim.clock.settled(open(sim.log));
    const transaction = writer.begin();
    const settled: string[] = [];
    const appended = transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    void failure(appended).then(() => settled.push('append'));
    await sim.clock.advance(5);
    sim.cluster.kill('victim');
    // Not even an error reaches the dead.
    sim.cluster.faults.at('ensureTopics:send', { type: 'fail', error: new Error('planned') });
    void failure(transaction.commit()).then(() => settled.push('commit'));
    void failure(sim.log.ensureTopics([{ topic: 'new', partitions: 1, config: {} }])).then(() => settled.push('ensureTopics'));
    void failure(sim.log.close()).then(() => settled.push('close'));
    await sim.clock.advance(1_000);
    expect([settled, sim.cluster.allRecords(TOPIC, 0), sim.cluster.topicNames()]).toEqual([[], [], [TOPIC]]);
  });
});

describe('planned faults', () => {
  it('skip, strike and stop as planned, for the calls they are about', async () => {
    const sim = rig();
    const error = new Error('planned');
    const when = ({ transactionalId }: CallFacts): boolean => transactionalId === 'writer';
    const fault = sim.cluster.faults.at('append:send', { type: 'fail', error }, { skip: 1, times: 2, when });
    const [writer, other] = [await open(sim.log), await open(sim.log, 'other')];
    const outcomes: boolean[] = [];
    for (let i = 0; i < 5; i++) {
      expect(await failure(commit(other, 'other'))).toBeUndefined();
      outcomes.push((await failure(commit(writer, 'mine'))) === undefined);
    }
    expect(outcomes).toEqual([true, false, false, true, true]);
    expect([fault.hits, sim.cluster.faults.passed('append:send')]).toEqual([2, 10]);
  });

  it('delay a call by the clock, and let a rival act at that very point', async () => {
    const sim = rig();
    const writer = await open(sim.log);
    sim.cluster.faults.at('append:send', { type: 'delay', ms: 70 });
    const committed = commit(writer, 'a');
    await sim.clock.advance(69);
    expect(sim.cluster.allRecords(TOPIC, 0)).toEqual([]);
    await sim.clock.settled(committed);
    const rival = sim.cluster.log({ clock: sim.clock, clientId: 'rival' });
    sim.cluster.faults.at('commit:send', { type: 'run', run: () => void open(rival) });
    expect(await failure(commit(writer, 'b'))).toMatchObject({ kind: 'fenced' });
    expect(values(sim)).toEqual(['a']);
  });

  it('are gone once removed or cleared', async () => {
    const sim = rig();
    const action: FaultAction = { type: 'fail', error: new Error('planned') };
    sim.cluster.faults.at('append:send', action).remove();
    sim.cluster.faults.at('commit:send', action);
    sim.cluster.faults.clear();
    await commit(await open(sim.log), 'a');
    expect(values(sim)).toEqual(['a']);
  });
});

interface StormOutcome {
  readonly committed: (string | undefined)[];
  readonly everything: unknown;
  readonly offsets: unknown;
  readonly kills: number;
  readonly fencings: number;
}

/** Writers of one id come and go, while messages are lost and clients are killed; each value is written until its commit is certain. */
async function storm(seed: number): Promise<StormOutcome> {
  const clock = new ManualClock({ seed });
  const cluster = new InMemoryCluster({ clock, seed, ...LIFELIKE });
  cluster.createTopic(TOPIC, 2);
  const calls = ['append', 'addOffsets', 'commit'] as const;
  const points = calls.flatMap((call): FaultPoint[] => [`${call}:send`, `${call}:applied`, `${call}:replied`]);
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
  const sim = { clock, cluster, log: client };
  return { committed: values(sim), everything, offsets: cluster.committedOffsets('group'), kills, fencings };
}

async function dead(clock: ManualClock, client: InMemoryLog): Promise<'dead'> {
  while (client.isAlive) await sleep(clock, 5);
  return 'dead';
}

describe('a storm of faults', () => {
  const expected = Array.from({ length: 40 }, (_, i) => `value ${i}`);

  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

  it.each(seeds)('leaves each value committed once and in order, with its offset (seed %i)', async (seed) => {
    const { committed, kills } = await storm(seed);
    expect(committed).toEqual(expected);
    expect(kills).toBeGreaterThan(0);
  });

  it('goes the same way for the same seed, to the last offset', async () => {
    expect(await storm(5)).toEqual(await storm(5));
    expect((await storm(5)).everything).not.toEqual((await storm(6)).everything);
  });
});
