import { describe, expect, it } from '@jest/globals';
import { ManualClock, RecordingTelemetry } from '@weir/testing';
import { utf8 } from '../codec/primitives.js';
import { WeirError } from '../errors/weir-error.js';
import type { TaskOrders } from '../assignment/assign-tasks.js';
import { offset } from '../model/brands.js';
import { FakeBackend } from '../state/fake-store.spec-d.js';
import { FakeLog } from '../task/fake-log.spec-d.js';
import { plansOf } from '../task/task-rig.spec-d.js';
import { scopeOf } from '../task/task-plan.js';
import { topic } from '../topology/topic.js';
import { Standbys } from './standbys.js';

const PLANS = plansOf((streams) => void streams.source('in', topic('in', { key: utf8, value: utf8 })).sink('out', topic('out', { key: utf8, value: utf8 })));
const SCOPE = scopeOf(PLANS[0]!);

class Rig {
  readonly clock = new ManualClock();
  readonly log = new FakeLog();
  readonly backend = new FakeBackend();
  readonly telemetry = new RecordingTelemetry();
  readonly busy = new Set<string>();
  readonly isBusy = (task: string): boolean => this.busy.has(task);
  readonly standbys: Standbys;

  constructor() {
    for (const { changelog } of PLANS) this.log.setEnds(changelog.topic, changelog.partition, 0, 10);
    this.standbys = new Standbys(PLANS, this);
  }

  async told(orders: Partial<TaskOrders>): Promise<void> {
    this.standbys.obey({ run: [], await: [], standby: [], ...orders });
    await this.clock.advance(0);
  }

  get statuses(): string[] {
    return this.standbys.overview().map(({ subTopology, task, status }) => `${subTopology}-${task} ${status}`);
  }

  get acts(): readonly string[] {
    return this.backend.acts;
  }
}

describe('the standbys of a replica', () => {
  it('are those that it is told to keep, and what they lack is reported', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0', '0-2'] });
    expect(rig.statuses).toEqual(['0-0 CATCHING_UP', '0-2 CATCHING_UP']);
    expect(rig.standbys.report).toEqual([{ task: '0-0', lag: 10 }, { task: '0-2', lag: 10 }]);
    await rig.told({ standby: ['0-2'] });
    expect([rig.statuses, rig.backend.store.closed]).toEqual([['0-2 CATCHING_UP'], true]);
  });

  it('report more than any lag while they do not know theirs, so that they stay where they are', async () => {
    const rig = new Rig();
    rig.standbys.obey({ run: [], await: [], standby: ['0-0'] });
    expect(rig.standbys.report).toEqual([{ task: '0-0', lag: Number.MAX_SAFE_INTEGER }]);
    await rig.clock.advance(0);
  });

  it('begin only once the task of this replica has ended', async () => {
    const rig = new Rig();
    rig.busy.add('0-0');
    await rig.told({ standby: ['0-0'] });
    expect([rig.statuses, rig.acts]).toEqual([[], []]);
    rig.busy.clear();
    rig.standbys.settle('0-0');
    expect(rig.statuses).toEqual(['0-0 OPENING']);
  });

  it('give their store, open, to the task that is started here; until it opens it the copy follows', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0'] });
    rig.busy.add('0-0');
    await rig.told({ run: ['0-0'] });
    expect(rig.statuses).toEqual(['0-0 CATCHING_UP']);
    const store = await rig.clock.settled(rig.standbys.open(SCOPE));
    expect([store, rig.backend.store.closed, rig.acts, rig.statuses]).toEqual([rig.backend.store, false, ['open'], []]);
  });

  it('stay while the task is awaited, which begins none that is not there', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0'] });
    await rig.told({ await: [{ task: '0-0', from: 'b' }, { task: '0-1', from: 'b' }] });
    expect(rig.statuses).toEqual(['0-0 CATCHING_UP']);
  });

  it('end before a store is destroyed', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0'] });
    const { store } = rig.backend;
    rig.busy.add('0-0');
    await rig.clock.settled(rig.standbys.destroy(SCOPE));
    expect([store.closed, rig.acts]).toEqual([true, ['open', 'destroy']]);
  });

  it('that fail begin anew, ever later, and are not reported meanwhile; the time begins anew once they have followed', async () => {
    const rig = new Rig();
    const fails = (kind: 'retry' | 'rebuild-state'): void => void rig.backend.openFailures.push(new WeirError(kind, 'PLANNED', 'As planned.'));
    fails('retry');
    await rig.told({ standby: ['0-0'] });
    expect([rig.statuses, rig.standbys.report]).toEqual([['0-0 FAILED'], []]);
    fails('retry');
    await rig.clock.advance(1_000);
    fails('retry');
    await rig.clock.advance(2_000);
    expect(rig.telemetry.of('standby-failed').map(({ retryInMs }) => retryInMs)).toEqual([1_000, 2_000, 4_000]);
    rig.log.setEnds(PLANS[0]!.changelog.topic, 0, 0, 0);
    await rig.clock.advance(4_000);
    expect(rig.statuses).toEqual(['0-0 FOLLOWING']);
    rig.log.readers.at(-1)!.feed(new WeirError('restart-task', 'PLANNED', 'As planned.'));
    await rig.clock.advance(0);
    expect(rig.telemetry.last('standby-failed')).toMatchObject({ retryInMs: 1_000 });
  });

  it('whose store is not to be used build another one', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0'] });
    rig.log.readers.at(-1)!.feed(new WeirError('rebuild-state', 'PLANNED', 'A file is cut.'));
    rig.log.failures.set('endPositions', new WeirError('retry', 'PLANNED', 'As planned.'));
    await rig.clock.advance(1_000); // does not come so far as to build it
    await rig.clock.advance(2_000);
    expect([rig.acts, rig.telemetry.of('store-rebuild').map(({ reason }) => reason)]).toEqual([
      ['open', 'destroy', 'open', 'destroy', 'open'],
      [expect.stringContaining('A file is cut.')],
    ]);
  });

  it('that wait to begin anew are given up where a task opens the store, or they are kept elsewhere', async () => {
    for (const end of [(rig: Rig) => void rig.standbys.open(SCOPE), (rig: Rig) => void rig.told({})]) {
      const rig = new Rig();
      rig.backend.openFailures.push(new WeirError('retry', 'PLANNED', 'As planned.'));
      await rig.told({ standby: ['0-0'] });
      rig.busy.add('0-0');
      end(rig);
      await rig.clock.advance(60_000);
      expect([rig.statuses, rig.log.readers]).toEqual([[], []]);
    }
  });

  it('end with the replica, all of them, and none begins again', async () => {
    const rig = new Rig();
    await rig.told({ standby: ['0-0', '0-1'] });
    rig.busy.add('0-1'); // a task that has not come so far
    await rig.clock.settled(rig.standbys.close());
    await rig.told({ standby: ['0-0', '0-1', '0-2'] });
    expect([rig.statuses, rig.backend.store.closed, rig.acts]).toEqual([[], true, ['open', 'open']]);
  });

  it('let a task open, claim and destroy as the backend does where there is no copy', async () => {
    const rig = new Rig();
    rig.backend.kind = 'memory';
    rig.backend.store.position = { offset: offset(3), topicId: 'id', leaderEpoch: 1, writtenAt: 1 };
    expect([rig.standbys.kind, (await rig.standbys.open(SCOPE)).position]).toEqual(['memory', rig.backend.store.position]);
    await rig.standbys.beforeClaim(SCOPE);
    await rig.standbys.destroy(SCOPE);
    expect(rig.acts).toEqual(['open', 'destroy']);
  });
});
