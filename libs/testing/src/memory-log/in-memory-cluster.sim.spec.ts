import { describe, expect, it } from '@jest/globals';
import { generation, offset, type Log, type LogWriter } from '@weir/core';
import { columnsOf, type RecordRow } from '../log-record.js';
import { ManualClock } from '../manual-clock.js';
import type { ClusterOptions } from './cluster-options.js';
import { InMemoryCluster } from './in-memory-cluster.js';

const TOPIC = 'topic';
const TIMEOUT_MS = 60_000;

interface Rig {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly log: Log;
}

function rig(config: Readonly<Record<string, string>> = {}, options: Partial<ClusterOptions> = {}): Rig {
  const clock = new ManualClock();
  const cluster = new InMemoryCluster({ clock, ...options });
  cluster.createTopic(TOPIC, 2, config);
  return { clock, cluster, log: cluster.log({ clock, clientId: 'client' }) };
}

const open = (log: Log, transactionalId = 'writer', transactionTimeoutMs = TIMEOUT_MS): Promise<LogWriter> =>
  log.openWriter({ transactionalId, transactionTimeoutMs });

async function commit(writer: LogWriter, rows: readonly RecordRow[], partition = 0): Promise<void> {
  const transaction = writer.begin();
  await transaction.append([{ topic: TOPIC, partition, records: columnsOf(rows) }]);
  await transaction.commit();
}

const shown = ({ cluster }: Rig, partition = 0): string[] =>
  cluster
    .committedRecords(TOPIC, partition)
    .map(({ offset: at, key, value }) => `${at} ${key?.toString() ?? '-'}=${value?.toString() ?? 'null'}`);

const stored = ({ cluster }: Rig, partition = 0): string[] =>
  cluster
    .allRecords(TOPIC, partition)
    .map(({ offset: at, kind, outcome, value }) => `${at} ${kind} ${outcome} ${value?.toString() ?? ''}`.trim());

describe('what lies in a partition', () => {
  it('holds open and aborted records and a marker per transaction, each at an offset of its own', async () => {
    const sim = rig();
    const [writer, other] = [await open(sim.log), await open(sim.log, 'other')];
    const dropped = writer.begin();
    await dropped.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }, { value: 'b' }]) }]);
    await commit(other, [{ value: 'c' }]);
    await dropped.abort();
    await writer.begin().append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'd' }]) }]);
    expect(stored(sim)).toEqual([
      '0 record aborted a',
      '1 record aborted b',
      '2 record committed c',
      '3 commit-marker committed',
      '4 abort-marker aborted',
      '5 record open d',
    ]);
    expect(shown(sim)).toEqual(['2 -=c']);
    expect(sim.cluster.endPosition(TOPIC, 0)).toMatchObject({ start: 0, lastStable: 5, highWatermark: 6 });
  });

  it('keeps nothing of the columns that it was given: the caller may use them again at once', async () => {
    const sim = rig();
    const writer = await open(sim.log);
    const records = columnsOf([{ key: 'k', value: 'before' }]);
    const transaction = writer.begin();
    const appended = transaction.append([{ topic: TOPIC, partition: 0, records }]);
    records.buffer.fill(0x78);
    await appended;
    await transaction.commit();
    expect(shown(sim)).toEqual(['0 k=before']);
  });

  it('commits at once what is produced without a transaction, unless an open one lies before it', async () => {
    const sim = rig();
    sim.cluster.produce(TOPIC, 0, [{ value: 'a' }]);
    expect(shown(sim)).toEqual(['0 -=a']);
    const transaction = (await open(sim.log)).begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'b' }]) }]);
    sim.cluster.produce(TOPIC, 0, [{ value: 'c' }]);
    expect(shown(sim)).toEqual(['0 -=a']);
    await transaction.commit();
    expect(shown(sim)).toEqual(['0 -=a', '1 -=b', '2 -=c']);
  });

  it('refuses a record above max.message.bytes, and one without a key in a compacted topic, and appends nothing of that call', async () => {
    const sim = rig({ 'cleanup.policy': 'compact', 'max.message.bytes': '200' });
    const writer = await open(sim.log);
    const attempt = async (rows: RecordRow[]): Promise<unknown> => {
      const transaction = writer.begin();
      const thrown = await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf(rows) }]).catch((error: unknown) => error);
      await transaction.abort();
      return thrown;
    };
    expect(await attempt([{ key: 'k', value: 'v' }, { key: 'k', value: 'x'.repeat(200) }])).toMatchObject({ code: 'LOG_RECORD_TOO_LARGE' });
    expect(await attempt([{ value: 'v' }])).toMatchObject({ code: 'LOG_KEY_REQUIRED' });
    expect(stored(sim)).toEqual([]);
  });
});

describe('transactions', () => {
  it('answer before their markers are written, one partition after the other, and the next transaction waits for them', async () => {
    const sim = rig({}, { markerMs: [10, 40], seed: 3 });
    const writer = await open(sim.log);
    const transaction = writer.begin();
    for (const partition of [0, 1]) await transaction.append([{ topic: TOPIC, partition, records: columnsOf([{ value: 'a' }]) }]);
    const group = { groupId: 'group', generation: generation(-1), memberId: '' };
    await transaction.addOffsets(group, [{ topic: TOPIC, partition: 0, offset: offset(9) }]);
    await transaction.commit();
    expect(sim.cluster.openTransactions()).toMatchObject([{ transactionalId: 'writer', phase: 'PREPARE_COMMIT', groups: ['group'] }]);
    expect([shown(sim, 0), shown(sim, 1), sim.cluster.committedOffsets('group')]).toEqual([[], [], []]);
    const next = sim.clock.settled(commit(writer, [{ value: 'b' }]));
    await sim.clock.advance(9);
    expect(stored(sim, 0)).toEqual(['0 record committed a']);
    await next;
    expect([shown(sim, 0)[0], shown(sim, 1)[0]]).toEqual(['0 -=a', '0 -=a']);
    expect(sim.cluster.committedOffsets('group')).toEqual([{ topic: TOPIC, partition: 0, offset: 9 }]);
    await sim.clock.advance(40);
    expect(sim.cluster.openTransactions()).toEqual([]);
    expect(shown(sim, 0)).toEqual(['0 -=a', '2 -=b']);
  });

  it('let a new writer in only when the markers of the old one are written', async () => {
    const sim = rig({}, { markerMs: [30, 30] });
    const old = await open(sim.log);
    await old.begin().append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    let claimed = false;
    void open(sim.log).then(() => (claimed = true));
    await sim.clock.advance(29);
    expect([claimed, sim.cluster.endPosition(TOPIC, 0).lastStable]).toEqual([false, 0]);
    await sim.clock.advance(3);
    expect([claimed, sim.cluster.endPosition(TOPIC, 0).lastStable]).toEqual([true, 2]);
  });

  it('are aborted by the clock when they outlive their timeout, and their writer is fenced', async () => {
    const sim = rig();
    const writer = await open(sim.log, 'writer', 1_000);
    const transaction = writer.begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    await sim.clock.advance(999);
    expect(sim.cluster.openTransactions()).toHaveLength(1);
    await sim.clock.advance(1);
    expect(sim.cluster.openTransactions()).toEqual([]);
    expect(sim.cluster.producerEpoch('writer')).toBe(1);
    expect(stored(sim)).toEqual(['0 record aborted a', '1 abort-marker aborted']);
    await expect(transaction.commit()).rejects.toMatchObject({ kind: 'fenced', code: 'LOG_WRITER_FENCED' });
    expect(() => writer.begin()).toThrow(expect.objectContaining({ kind: 'fenced' }));
  });

  it('leave no timer behind once they have ended', async () => {
    const sim = rig();
    const writer = await open(sim.log);
    for (let i = 0; i < 10; i++) await commit(writer, [{ value: 'a' }]);
    await writer.begin().append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
    expect(sim.clock.pendingTimers).toBe(1);
    sim.cluster.close();
    expect(sim.clock.pendingTimers).toBe(0);
  });

  it('add no offsets of a generation or member that the group does not have; without both, the id alone protects', async () => {
    const sim = rig();
    sim.cluster.setGroup('group', 4, ['m-1', 'm-2']);
    const attempt = async (generationNumber: number, memberId: string): Promise<unknown> => {
      const transaction = (await open(sim.log)).begin();
      const group = { groupId: 'group', generation: generation(generationNumber), memberId };
      const result = await transaction.addOffsets(group, [{ topic: TOPIC, partition: 1, offset: offset(7) }]).then(
        () => transaction.commit().then(() => 'committed'),
        (thrown: { code: string }) => transaction.abort().then(() => thrown.code),
      );
      return result;
    };
    expect(await attempt(3, 'm-1')).toBe('LOG_MEMBER_STALE');
    expect(await attempt(4, 'm-3')).toBe('LOG_MEMBER_STALE');
    expect(await attempt(-1, 'm-1')).toBe('LOG_MEMBER_STALE');
    expect(sim.cluster.committedOffsets('group')).toEqual([]);
    expect(await attempt(4, 'm-2')).toBe('committed');
    expect(sim.cluster.committedOffsets('group')).toEqual([{ topic: TOPIC, partition: 1, offset: 7 }]);
    expect(await attempt(-1, '')).toBe('committed');
  });

  it('change the producer id when the epochs of one have run out', async () => {
    const sim = rig();
    for (let i = 0; i < 32_768; i++) await open(sim.log);
    const last = await open(sim.log);
    const [{ producerId, epoch } = { producerId: 0, epoch: -1 }] = await (async () => {
      await last.begin().append([{ topic: TOPIC, partition: 0, records: columnsOf([{ value: 'a' }]) }]);
      return sim.cluster.openTransactions();
    })();
    expect([producerId, epoch]).toEqual([1_001, 0]);
  });
});

describe('what a broker does with its topics', () => {
  it('gives a topic another id when it is deleted and created again', async () => {
    const sim = rig();
    const before = sim.cluster.describeTopic(TOPIC)!;
    sim.cluster.deleteTopic(TOPIC);
    expect(await sim.log.describeTopic(TOPIC)).toBeUndefined();
    sim.cluster.createTopic(TOPIC, 2);
    expect(sim.cluster.describeTopic(TOPIC)!.topicId).not.toBe(before.topicId);
    expect(sim.cluster.endPosition(TOPIC, 0).highWatermark).toBe(0);
  });

  it('moves the start by retention, also into the middle of a batch, and never beyond the high watermark', () => {
    const sim = rig();
    sim.cluster.produce(TOPIC, 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    sim.cluster.deleteRecordsBefore(TOPIC, 0, 2);
    expect([sim.cluster.endPosition(TOPIC, 0).start, shown(sim)]).toEqual([2, ['2 -=c']]);
    sim.cluster.deleteRecordsBefore(TOPIC, 0, 1);
    expect(sim.cluster.endPosition(TOPIC, 0).start).toBe(2);
    sim.cluster.deleteRecordsBefore(TOPIC, 0, 99);
    expect(sim.cluster.endPosition(TOPIC, 0)).toMatchObject({ start: 3, lastStable: 3, highWatermark: 3 });
  });

  it('tells where each leader epoch ended, as far back as its records go', async () => {
    const sim = rig();
    const partition = { topic: TOPIC, partition: 0 };
    const ends = (): Promise<unknown[]> => Promise.all([0, 1, 2, 3].map((epoch) => sim.log.epochEnd(partition, epoch)));
    sim.cluster.produce(TOPIC, 0, [{ value: 'a' }, { value: 'b' }]);
    sim.cluster.moveLeader(TOPIC, 0);
    sim.cluster.produce(TOPIC, 0, [{ value: 'c' }]);
    sim.cluster.moveLeader(TOPIC, 0);
    expect(await ends()).toEqual([2, 3, 3, undefined]);
    expect(sim.cluster.produce(TOPIC, 0, [{ value: 'd' }])).toMatchObject({ firstOffset: 3, leaderEpoch: 2 });
    expect(await ends()).toEqual([2, 3, 4, undefined]);
    sim.cluster.deleteRecordsBefore(TOPIC, 0, 2);
    expect(await ends()).toEqual([undefined, 3, 4, undefined]);
  });

  it('loses the tail in an unclean election, and says so by the end of the epoch', async () => {
    const sim = rig();
    sim.cluster.produce(TOPIC, 0, [{ value: 'a' }]);
    sim.cluster.produce(TOPIC, 0, [{ value: 'b' }]);
    sim.cluster.moveLeader(TOPIC, 0, { truncateTo: 1 });
    sim.cluster.produce(TOPIC, 0, [{ value: 'c' }]);
    expect(shown(sim)).toEqual(['0 -=a', '1 -=c']);
    expect(await sim.log.epochEnd({ topic: TOPIC, partition: 0 }, 0)).toBe(1);
    expect(sim.cluster.endPosition(TOPIC, 0)).toMatchObject({ leaderEpoch: 1, highWatermark: 2 });
  });

  it('refuses to compact a topic that is not compacted', () => {
    expect(() => rig().cluster.compact(TOPIC)).toThrow(expect.objectContaining({ code: 'CLUSTER_MISUSED' }));
  });
});

describe('compaction', () => {
  const compactedRig = (): Rig => rig({ 'cleanup.policy': 'compact', 'delete.retention.ms': '1000' });

  it('keeps the latest committed record of each key at its offset', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    await commit(writer, [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
      { key: 'a', value: '2' },
    ]);
    await commit(writer, [{ key: 'b', value: '2' }]);
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toEqual(['2 a=2', '4 b=2']);
    expect(sim.cluster.endPosition(TOPIC, 0)).toMatchObject({ start: 0, lastStable: 6, highWatermark: 6 });
  });

  it('touches nothing at or above the last stable offset, and nothing from a given offset on', async () => {
    const sim = compactedRig();
    const [writer, other] = [await open(sim.log), await open(sim.log, 'other')];
    await commit(other, [{ key: 'a', value: '1' }]);
    await commit(other, [{ key: 'a', value: '2' }]);
    await writer.begin().append([{ topic: TOPIC, partition: 0, records: columnsOf([{ key: 'z', value: 'open' }]) }]);
    await commit(other, [{ key: 'a', value: '3' }]);
    sim.cluster.compact(TOPIC, 2);
    expect(stored(sim)).toHaveLength(7);
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toEqual(['2 a=2']);
    expect(stored(sim).at(-2)).toBe('5 record committed 3');
    sim.cluster.close();
  });

  it('counts an aborted record neither as the latest of its key nor as one to keep', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    await commit(writer, [{ key: 'a', value: 'kept' }]);
    const transaction = writer.begin();
    await transaction.append([{ topic: TOPIC, partition: 0, records: columnsOf([{ key: 'a', value: 'aborted' }]) }]);
    await transaction.abort();
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toEqual(['0 a=kept']);
    expect(stored(sim).filter((line) => line.includes('record aborted'))).toEqual([]);
  });

  it('keeps a tombstone for delete.retention.ms from the first compaction that met it, then removes it', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    await commit(writer, [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
    ]);
    await commit(writer, [{ key: 'a' }]);
    await commit(writer, [{ key: 'c', value: '1' }]);
    await sim.clock.advance(5_000);
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toEqual(['1 b=1', '3 a=null', '5 c=1']);
    await sim.clock.advance(999);
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toContain('3 a=null');
    await sim.clock.advance(1);
    sim.cluster.compact(TOPIC);
    expect(shown(sim)).toEqual(['1 b=1', '5 c=1']);
  });

  it('removes the markers of transactions that left nothing behind, and keeps the last batch, so that a position can pass', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    for (let i = 0; i < 4; i++) await commit(writer, [{ key: 'a', value: `${i}` }]);
    await commit(writer, [{ key: 'a' }]);
    for (let i = 0; i < 4; i++) {
      sim.cluster.compact(TOPIC);
      await sim.clock.advance(1_000);
    }
    expect(stored(sim)).toEqual(['9 commit-marker committed']);
    const reader = sim.log.openReader({ wake: () => undefined, bufferBytes: 1_000 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(0));
    await sim.clock.advance(1);
    const chunk = reader.take();
    expect([chunk?.records.count, chunk?.nextOffset]).toEqual([0, 10]);
  });

  it('keeps the marker of a transaction as long as one of its records is there', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    await commit(writer, [{ key: 'a', value: '1' }]);
    await commit(writer, [{ key: 'b', value: '1' }]);
    await commit(writer, [{ key: 'b', value: '2' }]);
    for (let i = 0; i < 4; i++) {
      sim.cluster.compact(TOPIC);
      await sim.clock.advance(1_000);
    }
    expect(stored(sim)).toEqual(['0 record committed 1', '1 commit-marker committed', '4 record committed 2', '5 commit-marker committed']);
  });

  it('lets a reader read over the holes, from an offset that is gone, too', async () => {
    const sim = compactedRig();
    const writer = await open(sim.log);
    for (let i = 0; i < 6; i++) await commit(writer, [{ key: i % 2 === 0 ? 'a' : `b${i}`, value: `${i}` }]);
    sim.cluster.compact(TOPIC);
    const reader = sim.log.openReader({ wake: () => undefined, bufferBytes: 1_000 });
    reader.assign({ topic: TOPIC, partition: 0 }, offset(4));
    await sim.clock.advance(1);
    const chunk = reader.take()!;
    expect(Array.from({ length: chunk.records.count }, (_, i) => chunk.records.value(i)!.toString())).toEqual(['3', '4', '5']);
    expect(chunk.nextOffset).toBe(12);
  });
});
