import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import type { RoundEnd } from '../checkpoint/round.js';
import { checkpointId, type CheckpointId } from '../model/brands.js';
import type { Task } from '../task/task.js';
import { CheckpointCoordinator, type CoordinatorHost } from './checkpoint-coordinator.js';

const INTERVAL_MS = 500;

/** What a coordinator asks of a task, written down in one list for all of them. */
class FakeTask {
  lastBarrier: CheckpointId = checkpointId(0);

  constructor(
    readonly name: string,
    private readonly acts: string[],
  ) {}

  trigger(id: CheckpointId): void {
    this.acts.push(`${this.name} triggered ${id}`);
  }
  endRound(id: CheckpointId): void {
    this.acts.push(`${this.name} ended ${id}`);
  }
  commitPlain(): void {
    this.acts.push(`${this.name} commits plainly`);
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly acts: string[] = [];
  readonly ends: RoundEnd[] = [];
  readonly a = new FakeTask('a', this.acts);
  readonly b = new FakeTask('b', this.acts);
  running: readonly FakeTask[] = [this.a, this.b];
  readonly coordinator: CheckpointCoordinator;

  constructor(settings: Partial<CoordinatorHost> = {}) {
    this.coordinator = new CheckpointCoordinator({
      clock: this.clock,
      intervalMs: INTERVAL_MS,
      minPauseMs: 0,
      timeoutMs: 600_000,
      runningTasks: () => this.running as unknown as readonly Task[],
      taskCount: 2,
      broadcastEnds: undefined,
      onEnd: (end) => {
        this.ends.push(end);
        this.acts.push(`round ${end.id} ${end.outcome}`);
      },
      ...settings,
    });
  }

  static started(settings: Partial<CoordinatorHost> = {}): Rig {
    const rig = new Rig(settings);
    rig.coordinator.start();
    return rig;
  }

  acknowledge(task: FakeTask, id: number): void {
    this.coordinator.onAcknowledge(task as unknown as Task, checkpointId(id));
  }

  /** What happened since the last look. */
  take(): string[] {
    return this.acts.splice(0);
  }
}

describe('rounds', () => {
  it('are triggered by the interval, each over all tasks', async () => {
    const rig = Rig.started();
    await rig.clock.advance(INTERVAL_MS - 1);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.take()).toEqual(['a triggered 1', 'b triggered 1']);
  });

  it('end with the last acknowledgement: every task hears it before the next is triggered (I5)', async () => {
    const rig = Rig.started();
    await rig.clock.advance(INTERVAL_MS);
    rig.acknowledge(rig.a, 1);
    await rig.clock.advance(10);
    rig.acknowledge(rig.b, 1);
    await rig.clock.advance(INTERVAL_MS - 10);
    expect(rig.take()).toEqual(['a triggered 1', 'b triggered 1', 'a ended 1', 'b ended 1', 'round 1 completed', 'a triggered 2', 'b triggered 2']);
    expect(rig.ends).toEqual([{ id: 1, outcome: 'completed', durationMs: 10 }]);
  });

  it('wait for the one before, however many intervals that takes (I5)', async () => {
    const rig = Rig.started();
    await rig.clock.advance(INTERVAL_MS);
    rig.acknowledge(rig.a, 1);
    rig.take();
    await rig.clock.advance(5 * INTERVAL_MS);
    expect(rig.take()).toEqual([]);
  });

  it('are given up at their timeout, and the next begins', async () => {
    const rig = Rig.started({ timeoutMs: 1_200 });
    await rig.clock.advance(INTERVAL_MS);
    rig.take();
    await rig.clock.advance(3 * INTERVAL_MS);
    expect(rig.take()).toEqual(['a ended 1', 'b ended 1', 'round 1 timed-out', 'a triggered 2', 'b triggered 2']);
  });

  it('leave a pause between the end of one and the next', async () => {
    const rig = Rig.started({ minPauseMs: 700 });
    await rig.clock.advance(INTERVAL_MS);
    rig.acknowledge(rig.a, 1);
    rig.acknowledge(rig.b, 1);
    rig.take();
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual(['a triggered 2', 'b triggered 2']);
  });

  it('go on above every barrier that was ever committed', async () => {
    const rig = Rig.started();
    rig.a.lastBarrier = checkpointId(7);
    rig.b.lastBarrier = checkpointId(9);
    for (const task of [rig.b, rig.a]) rig.coordinator.onTaskRunning(task as unknown as Task);
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual(['a triggered 10', 'b triggered 10']);
  });
});

describe('a task that is down', () => {
  it('abandons the open round at once (R4)', async () => {
    const rig = Rig.started();
    await rig.clock.advance(INTERVAL_MS);
    rig.take();
    rig.running = [rig.b];
    rig.coordinator.onTaskFailed();
    expect(rig.take()).toEqual(['b ended 1', 'round 1 abandoned']);
    rig.acknowledge(rig.b, 1);
    expect(rig.take()).toEqual([]);
  });

  it('lets no round begin, and the others commit without barriers every interval (R4)', async () => {
    const rig = Rig.started();
    rig.running = [rig.b];
    await rig.clock.advance(2 * INTERVAL_MS);
    expect(rig.take()).toEqual(['b commits plainly', 'b commits plainly']);
    rig.running = [rig.a, rig.b];
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual(['a triggered 1', 'b triggered 1']);
  });

  it('does not stop the others from committing while a pause is kept', async () => {
    const rig = Rig.started({ minPauseMs: 10 * INTERVAL_MS });
    await rig.clock.advance(INTERVAL_MS);
    rig.running = [rig.b];
    rig.coordinator.onTaskFailed();
    rig.take();
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual(['b commits plainly']);
  });
});

describe('a broadcast', () => {
  it('has its ends asked for before each trigger, and none is triggered when a task failed meanwhile or they cannot be had', async () => {
    const asked: (() => void)[] = [];
    let fail = false;
    const broadcastEnds = () => new Promise<never[]>((resolve, reject) => asked.push(() => (fail ? reject(new Error('away')) : resolve([]))));
    const rig = Rig.started({ broadcastEnds });
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    asked.shift()!();
    await rig.clock.advance(0);
    expect(rig.take()).toEqual(['a triggered 1', 'b triggered 1']);
    rig.coordinator.onTaskFailed();
    rig.take();
    await rig.clock.advance(INTERVAL_MS);
    rig.running = [rig.b];
    asked.shift()!();
    await rig.clock.advance(0);
    expect(rig.take()).toEqual([]);
    rig.running = [rig.a, rig.b];
    fail = true;
    await rig.clock.advance(INTERVAL_MS);
    asked.shift()!();
    await rig.clock.advance(0);
    expect(rig.take()).toEqual([]);
  });
});

describe('close', () => {
  it('abandons the open round, so that tasks may take their last commit, and triggers no more', async () => {
    const rig = Rig.started();
    await rig.clock.advance(INTERVAL_MS);
    rig.take();
    rig.coordinator.close();
    await rig.clock.advance(10 * INTERVAL_MS);
    expect(rig.take()).toEqual(['a ended 1', 'b ended 1', 'round 1 abandoned']);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('does nothing but that where no round is open', () => {
    const rig = Rig.started();
    rig.coordinator.close();
    expect([rig.take(), rig.clock.pendingTimers]).toEqual([[], 0]);
  });
});

describe('start', () => {
  it('keeps one timer, however often it is called', () => {
    const rig = Rig.started();
    rig.coordinator.start();
    expect(rig.clock.pendingTimers).toBe(1);
  });
});
