import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, ManualClock } from '@weir/testing';
import type { RoundRecord } from '../control/control-record.js';
import { ControlTopic } from '../control/control-topic.js';
import { WeirError } from '../errors/weir-error.js';
import { checkpointId, offset } from '../model/brands.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import { CheckpointCoordinator, type CoordinatorHost } from './checkpoint-coordinator.js';

const TOPIC = 'app-control';
const INTERVAL_MS = 500;

const clock = () => new ManualClock({ seed: 3 });

/** A replica with a coordinator, over a control topic that others may share. */
class Rig {
  readonly rounds: string[] = [];
  readonly failures: Error[] = [];
  listen: (round: RoundRecord) => void = () => undefined;
  coordinator!: CheckpointCoordinator;
  control!: ControlTopic;

  private constructor(
    readonly clock: ManualClock,
    readonly cluster: InMemoryCluster,
    readonly name: string,
  ) {}

  static async start(options: Partial<CoordinatorHost> = {}, beside?: Rig): Promise<Rig> {
    const time = beside?.clock ?? clock();
    const cluster = beside?.cluster ?? new InMemoryCluster({ clock: time, seed: 3 });
    if (beside === undefined) cluster.createTopic(TOPIC, 1, { 'cleanup.policy': 'compact' });
    const rig = new Rig(time, cluster, beside === undefined ? 'r1' : 'r2');
    const log = cluster.log({ clock: time, clientId: rig.name });
    rig.control = await time.settled(
      ControlTopic.open({
        log,
        clock: time,
        topic: TOPIC,
        onChange: (record) => {
          if (record.type === 'round') {
            rig.rounds.push(spelled(record.round));
            rig.listen(record.round);
          }
          rig.coordinator.onChange();
        },
        onFailure: (error) => rig.failures.push(error),
      }),
    );
    rig.coordinator = new CheckpointCoordinator({
      clock: time,
      log,
      control: rig.control,
      controlTopic: TOPIC,
      transactionalId: 'app-coordinator',
      transactionTimeoutMs: 10_000,
      enabled: true,
      intervalMs: INTERVAL_MS,
      minPauseMs: 0,
      timeoutMs: 60_000,
      tolerableFailures: 0,
      owners: () => new Map(['0-0', '0-1'].map((task) => [task, 'r1'])),
      broadcastEnds: undefined,
      mayClaim: () => Promise.resolve(),
      deletedOnCancel: undefined,
      onNotice: () => undefined,
      onFailure: (error) => rig.failures.push(error),
      ...options,
    });
    return rig;
  }

  /** The tasks report that they run, having committed `barrier`. */
  async up(barrier = 0, tasks = ['0-0', '0-1'], replica = 'r1'): Promise<void> {
    for (const task of tasks) this.control.report({ version: 1, task, replica, status: 'RUNNING', barrier: checkpointId(barrier), at: 0 });
    await this.clock.advance(0);
  }

  async down(task: string, barrier = 0): Promise<void> {
    this.control.report({ version: 1, task, replica: 'r1', status: 'DOWN', barrier: checkpointId(barrier), at: 0 });
    await this.clock.advance(0);
  }

  take(): string[] {
    return this.rounds.splice(0);
  }
}

const spelled = (round: RoundRecord): string => (round.type === 'ended' ? `${round.outcome} ${round.id}` : `triggered ${round.id}`);

async function leading(options: Partial<CoordinatorHost> = {}): Promise<Rig> {
  const rig = await Rig.start(options);
  rig.coordinator.lead();
  await rig.up();
  return rig;
}

describe('rounds', () => {
  it('are triggered by the interval, and the next one an interval after the one before, not after its end', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS - 1);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(['triggered 1']);
    await rig.clock.advance(300);
    await rig.up(1);
    expect(rig.take()).toEqual(['completed 1']);
    await rig.clock.advance(199);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(['triggered 2']);
  });

  it('end with the last acknowledgement, and the next waits for that however many intervals it takes (I5)', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS);
    await rig.up(1, ['0-0']);
    await rig.clock.advance(5 * INTERVAL_MS);
    expect(rig.take()).toEqual(['triggered 1']);
    await rig.up(1, ['0-1']);
    expect(rig.take()).toEqual(['completed 1', 'triggered 2']);
  });

  it('are given up at their timeout, and the next begins', async () => {
    const rig = await leading({ timeoutMs: 2_000 });
    await rig.clock.advance(INTERVAL_MS);
    await rig.clock.advance(1_999);
    expect(rig.take()).toEqual(['triggered 1']);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(['timed-out 1', 'triggered 2']);
  });

  it('that time out too often in a row name the tasks that held them up, and the count begins anew', async () => {
    const rig = await leading({ timeoutMs: 1_000, tolerableFailures: 1 });
    await rig.clock.advance(INTERVAL_MS);
    await rig.up(1, ['0-0']);
    rig.take();
    await rig.clock.advance(1_000);
    expect([rig.take(), rig.control.view.round]).toEqual([['timed-out 1', 'triggered 2'], expect.objectContaining({ id: 2, failures: 1 })]);
    await rig.up(2, ['0-0']);
    const told: RoundRecord[] = [];
    rig.listen = (round) => told.push(round);
    await rig.clock.advance(1_000);
    expect(told).toEqual([
      expect.objectContaining({ outcome: 'timed-out', id: 2, restart: ['0-1'] }),
      expect.objectContaining({ type: 'triggered', id: 3 }),
    ]);
    expect(told.map(({ failures }) => failures)).toEqual([undefined, undefined]);
  });

  it('that time out are counted on by a successor, and forgotten once one is complete', async () => {
    const rig = await leading({ timeoutMs: 1_000, tolerableFailures: 2 });
    await rig.clock.advance(INTERVAL_MS + 1_000);
    expect(rig.control.view.round).toMatchObject({ type: 'triggered', id: 2, failures: 1 });
    rig.coordinator.resign();
    const next = await Rig.start({ timeoutMs: 1_000, tolerableFailures: 2 }, rig);
    next.coordinator.lead();
    await next.clock.advance(1_000);
    expect(next.control.view.round).toMatchObject({ type: 'triggered', id: 3, failures: 2 });
    await next.up(3);
    expect(next.control.view.round).toEqual(expect.not.objectContaining({ failures: expect.anything() }));
    expect(next.take().slice(-2)).toEqual(['completed 3', 'triggered 4']);
  });

  it('leave a pause between the end of one and the next', async () => {
    const rig = await leading({ minPauseMs: 400 });
    await rig.clock.advance(INTERVAL_MS);
    await rig.clock.advance(450);
    await rig.up(1);
    expect(rig.take()).toEqual(['triggered 1', 'completed 1']);
    await rig.clock.advance(399);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(['triggered 2']);
  });

  it('name the ends of the broadcast in their trigger, and wait while these cannot be had (R9)', async () => {
    const known: PartitionOffset[][] = [];
    const broadcastEnds = (): Promise<readonly PartitionOffset[]> => (known[0] === undefined ? Promise.reject(new Error('cut')) : Promise.resolve(known[0]));
    const rig = await leading({ broadcastEnds });
    await rig.clock.advance(2 * INTERVAL_MS);
    expect([rig.take(), rig.failures]).toEqual([[], []]);
    known.push([{ topic: 'limits', partition: 0, offset: offset(7) }]);
    await rig.clock.advance(2 * INTERVAL_MS);
    expect(rig.take()).toEqual(['triggered 1']);
    expect(rig.control.view.round).toMatchObject({ broadcastEnds: known[0] });
  });
});

describe('a task that is down', () => {
  it('abandons the open round at once, and no other begins until it is up again (R4)', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS);
    await rig.down('0-1');
    expect(rig.take()).toEqual(['triggered 1', 'abandoned 1']);
    await rig.clock.advance(3 * INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    await rig.up(0, ['0-1']);
    expect(rig.take()).toEqual(['triggered 2']);
  });

  it('is one whose report is that of another replica than has it now', async () => {
    const rig = await leading();
    await rig.up(0, ['0-1'], 'r0');
    await rig.clock.advance(2 * INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    await rig.up(0, ['0-1'], 'r1');
    expect(rig.take()).toEqual(['triggered 1']);
  });
});

describe('a successor', () => {
  it('goes on with the open round: it completes what is acknowledged', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS);
    rig.coordinator.resign();
    await rig.up(1, ['0-0']);
    const next = await Rig.start({}, rig);
    next.coordinator.lead();
    await next.up(1, ['0-1']);
    expect(next.take()).toEqual(['completed 1']);
    await next.clock.advance(INTERVAL_MS);
    expect(next.take()).toEqual(['triggered 2']);
  });

  it('abandons the open round if a task is down', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS);
    rig.coordinator.resign();
    const next = await Rig.start({ owners: () => new Map([['0-0', 'r1'], ['0-1', undefined]]) }, rig);
    next.coordinator.lead();
    await next.clock.advance(0);
    expect(next.take()).toEqual(['abandoned 1']);
  });

  it('fences its predecessor, who writes nothing more and claims nothing before it is sure to lead (C1)', async () => {
    let claims = 0;
    let sure!: () => void;
    const mayClaim = (): Promise<void> => (claims++ === 0 ? Promise.resolve() : new Promise((resolve) => (sure = resolve)));
    const rig = await leading({ mayClaim });
    const next = await Rig.start({}, rig);
    next.coordinator.lead();
    await rig.clock.advance(20 * INTERVAL_MS);
    // One round of the successor, which nobody acknowledges.
    expect([rig.take(), next.take(), claims]).toEqual([['triggered 1'], ['triggered 1'], 2]);
    expect([rig.failures, next.failures]).toEqual([[], []]);
    sure();
  });
});

describe('close', () => {
  it('abandons the open round, so that tasks may take their last commit, and triggers no more', async () => {
    const rig = await leading();
    await rig.clock.advance(INTERVAL_MS);
    await rig.clock.settled(rig.coordinator.close());
    await rig.clock.advance(3 * INTERVAL_MS);
    expect(rig.take()).toEqual(['triggered 1', 'abandoned 1']);
  });

  it('writes nothing where no round is open, nor for one that never led', async () => {
    const rig = await leading();
    await rig.clock.settled(rig.coordinator.close());
    const idle = await Rig.start({}, rig);
    await idle.clock.settled(idle.coordinator.close());
    expect([rig.take(), rig.cluster.committedRecords(TOPIC, 0).filter(({ key }) => key?.toString() === 'round')]).toEqual([[], []]);
  });
});

describe('what no waiting mends', () => {
  it('fails the job', async () => {
    const rig = await leading();
    const refusal = new WeirError('invalid', 'PLANNED', 'No right to write.');
    rig.cluster.faults.at('append:send', { type: 'fail', error: refusal });
    await rig.clock.advance(4 * INTERVAL_MS);
    expect([rig.failures, rig.take()]).toEqual([[refusal], []]);
  });
});
