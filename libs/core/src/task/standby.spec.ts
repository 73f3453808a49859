import { describe, expect, it } from '@jest/globals';
import { ManualClock, RecordingTelemetry } from '@weir/testing';
import { WeirError } from '../errors/weir-error.js';
import { offset } from '../model/brands.js';
import { partitionName } from '../model/topic-partition.js';
import type { LogChunk } from '../ports/log.js';
import { utf8 } from '../codec/primitives.js';
import { FakeBackend, type FakeStore } from '../state/fake-store.spec-d.js';
import { topic } from '../topology/topic.js';
import { FakeLog, type FakeReader } from './fake-log.spec-d.js';
import { Standby, type StandbyEnd } from './standby.js';
import { chunkOf, plansOf, type Row } from './task-rig.spec-d.js';

const WALL = 1_700_000_000_000;
const DAY = 86_400_000;
const [PLAN] = plansOf((streams) => void streams.source('in', topic('in', { key: utf8, value: utf8 })).sink('out', topic('out', { key: utf8, value: utf8 })));
const { topic: CHANGELOG, topicId, partition: PARTITION } = PLAN!.changelog;

class Rig {
  readonly clock = new ManualClock({ wall: WALL });
  readonly log = new FakeLog();
  readonly backend = new FakeBackend();
  readonly telemetry = new RecordingTelemetry();
  readonly standby: Standby;
  end: StandbyEnd | undefined;

  constructor(start: number, lastStable: number, distrust?: string) {
    this.setEnds(start, lastStable);
    this.standby = new Standby(PLAN!, this, distrust);
  }

  setEnds(start: number, lastStable: number, { highWatermark = lastStable, leaderEpoch = 4 } = {}): void {
    this.log.setEnds(CHANGELOG, PARTITION, start, lastStable, highWatermark);
    const name = partitionName(CHANGELOG, PARTITION);
    this.log.ends.set(name, { ...this.log.ends.get(name)!, leaderEpoch });
  }

  storeAt(position: number, ageMs = 1_000): this {
    this.store.position = { offset: offset(position), topicId, leaderEpoch: 4, writtenAt: WALL - ageMs };
    return this;
  }

  async run(): Promise<this> {
    void this.standby.run().then((end) => (this.end = end));
    await this.clock.advance(0);
    return this;
  }

  async feed(...chunks: readonly (LogChunk | Error)[]): Promise<void> {
    this.reader.feed(...chunks);
    await this.clock.advance(0);
  }

  get store(): FakeStore {
    return this.backend.store;
  }

  get reader(): FakeReader {
    return this.log.readers.at(-1)!;
  }

  /** Rows and offset of each batch that the store got. */
  get applied(): (readonly [rows: number, offset: number])[] {
    return this.store.applied.map(({ rows, position }) => [rows, position.offset] as const);
  }
}

/** Rows from an offset on, in a chunk that ends at `next`. */
const chunk = (from: number, rows: readonly Row[], next = from + rows.length): LogChunk => {
  return { ...chunkOf(CHANGELOG, PARTITION, rows.map((row, i) => ({ ...row, offset: from + i }))), nextOffset: offset(next), lastStable: offset(next) };
};
const row = (key: string, value: string | null = 'v'): Row => ({ key, value });

describe('a standby', () => {
  it('goes on from the position of its store, each chunk with its position, and follows once it has everything', async () => {
    const rig = await new Rig(0, 30).storeAt(10).run();
    expect([rig.standby.status, rig.standby.lag, rig.reader.assigned]).toEqual(['CATCHING_UP', 20, [{ topic: CHANGELOG, partition: PARTITION, offset: 10 }]]);
    await rig.feed(chunk(10, [row('a'), row('b')], 20));
    expect([rig.standby.status, rig.standby.position, rig.standby.lag]).toEqual(['CATCHING_UP', 20, 10]);
    await rig.feed(chunk(20, [row('a', null)], 30));
    expect([rig.standby.status, rig.standby.position, rig.standby.lag, rig.standby.records]).toEqual(['FOLLOWING', 30, 0, 3]);
    expect(rig.applied).toEqual([[2, 20], [1, 30]]);
    expect([rig.store.get(Buffer.from('a')), rig.store.get(Buffer.from('b'))]).toEqual([undefined, Buffer.from('v')]);
    expect(rig.telemetry.of('standby-status').map(({ from, to }) => `${from} ${to}`)).toEqual(['OPENING CATCHING_UP', 'CATCHING_UP FOLLOWING']);
  });

  it('of a task that never committed follows an empty changelog', async () => {
    const rig = await new Rig(0, 0).run();
    expect([rig.standby.status, rig.standby.position, rig.standby.lag, rig.applied]).toEqual(['FOLLOWING', 0, 0, []]);
  });

  it('closes its store when it is ended, and gives it away open when it is released', async () => {
    const closed = await new Rig(0, 10).storeAt(10).run();
    closed.standby.close();
    await closed.clock.advance(0);
    expect([closed.end, closed.store.closed, closed.reader.closed, closed.standby.status]).toEqual([{ type: 'closed' }, true, true, 'CLOSED']);
    const released = await new Rig(0, 10).storeAt(4).run();
    released.standby.release();
    await released.clock.advance(0);
    expect(released.end).toEqual({ type: 'released', store: released.store });
    expect([released.store.closed, released.reader.closed, released.standby.status]).toEqual([false, true, 'PROMOTED']);
  });

  it('that cannot read its changelog fails, and closes its store', async () => {
    const rig = await new Rig(0, 10).storeAt(4).run();
    await rig.feed(new WeirError('invalid', 'LOG_OFFSET_OUT_OF_RANGE', 'It is gone.'));
    expect([rig.end, rig.store.closed, rig.standby.status]).toEqual([{ type: 'failed', error: expect.objectContaining({ code: 'LOG_OFFSET_OUT_OF_RANGE' }) }, true, 'FAILED']);
  });
});

describe('B1: what lies behind the end that was seen', () => {
  it('waits for the next look, at most every half second, however much comes', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    const looks = rig.log.endPositionCalls;
    await rig.feed(chunk(10, [row('a')], 12), chunk(12, [row('b')], 14), chunk(14, [row('c')], 16));
    expect([rig.applied, rig.standby.lag]).toEqual([[], 2]);
    rig.setEnds(0, 14);
    await rig.clock.advance(499);
    expect([rig.applied, rig.log.endPositionCalls]).toEqual([[], looks]);
    await rig.clock.advance(1);
    expect([rig.applied, rig.log.endPositionCalls]).toEqual([[[1, 12], [1, 14]], looks + 1]);
    rig.setEnds(0, 16);
    await rig.clock.advance(500);
    expect([rig.applied.at(-1), rig.standby.position, rig.standby.lag]).toEqual([[1, 16], 16, 0]);
  });

  it('is looked for every minute where nothing comes, and at once when something does', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    const looks = rig.log.endPositionCalls;
    await rig.clock.advance(59_999);
    expect(rig.log.endPositionCalls).toBe(looks);
    await rig.clock.advance(5_001);
    expect(rig.log.endPositionCalls).toBe(looks + 1);
    rig.setEnds(0, 12);
    await rig.feed(chunk(10, [row('a')], 12));
    expect(rig.applied).toEqual([[1, 12]]);
  });

  it('is not applied although a new leader says that its log ends below', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    await rig.feed(chunk(10, [row('a')], 12));
    rig.setEnds(0, 8);
    await rig.clock.advance(1_000);
    expect([rig.applied, rig.standby.status]).toEqual([[], 'FOLLOWING']);
    rig.setEnds(0, 12);
    await rig.clock.advance(500);
    expect(rig.applied).toEqual([[1, 12]]);
  });

  it('is asked for again where the log cannot be asked; what cannot be mended by that ends the attempt', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    rig.setEnds(0, 12);
    rig.log.failures.set('endPositions', new WeirError('retry', 'LOG_UNREACHABLE', 'It does not answer.'));
    await rig.clock.advance(1_000);
    await rig.feed(chunk(10, [row('a')], 12));
    expect(rig.applied).toEqual([]);
    await rig.clock.advance(500);
    expect(rig.applied).toEqual([[1, 12]]);
    rig.log.failures.set('endPositions', new WeirError('invalid', 'NOT_ALLOWED', 'It says no.'));
    await rig.clock.advance(60_000);
    expect(rig.end).toEqual({ type: 'failed', error: expect.objectContaining({ code: 'NOT_ALLOWED' }) });
  });
});

describe('B2: the position', () => {
  it('is as old as what the copy is built on until it has everything, and then as old as the look', async () => {
    const rig = await new Rig(0, 30).storeAt(10, 5_000).run();
    await rig.clock.advance(300);
    await rig.feed(chunk(10, [row('a')], 20), chunk(20, [row('b')], 30));
    expect(rig.store.applied.map(({ position }) => position.writtenAt - WALL)).toEqual([-5_000, 0]);
    rig.setEnds(0, 40);
    await rig.clock.advance(1_000);
    await rig.feed(chunk(30, [row('c')], 35), chunk(35, [row('d')], 40));
    expect(rig.store.applied.slice(2).map(({ position }) => position.writtenAt - WALL)).toEqual([0, 1_300]);
  });

  it('of records behind a change of leader is of the new epoch, which the log is asked about', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    rig.setEnds(0, 12, { leaderEpoch: 7 });
    rig.log.epochEndIs = offset(10);
    await rig.clock.advance(1_000);
    await rig.feed(chunk(10, [row('a')], 12));
    expect(rig.store.applied.map(({ position }) => position)).toEqual([{ offset: 12, topicId, leaderEpoch: 7, writtenAt: WALL + 1_000 }]);
  });

  it('of a copy at rest gets a new time now and then, so that its age alone does not tell against it', async () => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    await rig.clock.advance(DAY / 4 + 60_000);
    expect(rig.applied).toEqual([[0, 10]]);
    expect(rig.clock.wall() - rig.store.position!.writtenAt).toBeLessThanOrEqual(120_000);
  });
});

describe('B3: a copy that cannot follow any more', () => {
  it.each([
    ['the log lost what the copy holds', { leaderEpoch: 7 }, 12, 'was truncated'],
    ['tombstones may be gone', {}, 12, 'deleted keys might come back'],
  ])('is to be rebuilt: %s', async (what, ends, lastStable, words) => {
    const rig = await new Rig(0, 10).storeAt(10).run();
    rig.log.epochEndIs = offset(9);
    rig.setEnds(0, lastStable, ends);
    if (what.startsWith('tombstones')) rig.clock.setWall(rig.clock.wall() + DAY + 1);
    await rig.clock.advance(60_000);
    expect(rig.end).toEqual({ type: 'failed', error: expect.objectContaining({ kind: 'rebuild-state', code: 'COPY_OUTDATED', message: expect.stringContaining(words) }) });
    expect(rig.applied).toEqual([]);
  });

  it('is rebuilt from the start where its store is distrusted or was of another log, and why is told', async () => {
    const distrusted = await new Rig(3, 10, 'it was damaged').storeAt(8).run();
    expect([distrusted.backend.acts, distrusted.reader.assigned[0]!.offset]).toEqual([['destroy', 'open'], 3]);
    const beyond = await new Rig(3, 10).storeAt(11).run();
    expect([beyond.backend.acts, beyond.reader.assigned[0]!.offset]).toEqual([['open', 'destroy', 'open'], 3]);
    const told = [distrusted, beyond].flatMap(({ telemetry }) => telemetry.of('store-rebuild')).map(({ reason }) => reason);
    expect(told).toEqual(['it was damaged', "its position 11 is beyond the changelog's end 10"]);
  });
});

describe('B4: a store behind the last stable offset', () => {
  it('is waited for: the marker of its last commit has not come yet', async () => {
    const rig = new Rig(0, 9).storeAt(12);
    rig.setEnds(0, 9, { highWatermark: 12 });
    await rig.run();
    await rig.clock.advance(1_000);
    expect([rig.standby.status, rig.backend.acts]).toEqual(['OPENING', ['open']]);
    rig.setEnds(0, 13);
    await rig.clock.advance(50);
    expect([rig.standby.status, rig.backend.acts, rig.reader.assigned[0]!.offset]).toEqual(['CATCHING_UP', ['open'], 12]);
  });

  it('goes to the task as it is, or is closed, if the copy ends meanwhile', async () => {
    for (const end of ['release', 'close'] as const) {
      const rig = new Rig(0, 9).storeAt(12);
      rig.setEnds(0, 9, { highWatermark: 12 });
      await rig.run();
      rig.standby[end]();
      await rig.clock.advance(50);
      expect([rig.end!.type, rig.store.closed]).toEqual(end === 'release' ? ['released', false] : ['closed', true]);
    }
  });

  it('is not waited for longer than its transaction can be open', async () => {
    const rig = new Rig(0, 9).storeAt(12);
    rig.setEnds(0, 9, { highWatermark: 12 });
    await rig.run();
    await rig.clock.advance(71_000);
    expect(rig.backend.acts).toEqual(['open', 'destroy', 'open']);
  });
});
