import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import type { TriggeredRound } from '../control/control-record.js';
import { type CheckpointId, checkpointId } from '../model/brands.js';
import type { TaskHandle } from '../task/task-host.js';
import type { TaskStatus } from '../task/task-status.js';
import { RoundFollower } from './round-follower.js';

const INTERVAL_MS = 500;

/** What a follower asks of a task, written down. */
class FakeTask implements TaskHandle {
  lastBarrier: CheckpointId = checkpointId(0);
  status: TaskStatus = 'RUNNING';

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
  fail(error: Error): void {
    this.acts.push(`${this.name} fails: ${error.message}`);
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly acts: string[] = [];
  readonly a = new FakeTask('a', this.acts);
  readonly b = new FakeTask('b', this.acts);
  open: TriggeredRound | undefined;
  readonly follower: RoundFollower;

  constructor(rounds = true) {
    this.follower = new RoundFollower({
      clock: this.clock,
      rounds,
      intervalMs: INTERVAL_MS,
      tasks: () => [this.a, this.b],
      openRound: () => this.open,
      onTick: () => undefined,
    });
  }

  trigger(id: number): void {
    this.open = { version: 1, type: 'triggered', id: checkpointId(id), at: 0, broadcastEnds: [] };
    this.follower.onRound(this.open);
  }

  end(id: number, restart: readonly string[] = []): void {
    this.open = undefined;
    this.follower.onRound({ version: 1, type: 'ended', id: checkpointId(id), at: 0, outcome: restart.length === 0 ? 'completed' : 'timed-out', durationMs: 7, ...(restart.length === 0 ? {} : { restart }) });
  }

  take(): string[] {
    return this.acts.splice(0);
  }
}

describe('a round', () => {
  it('is brought to every running task, and its end to all', () => {
    const rig = new Rig();
    rig.b.status = 'INITIALIZING';
    rig.trigger(1);
    rig.end(1);
    expect(rig.take()).toEqual(['a triggered 1', 'a ended 1', 'b ended 1']);
  });

  it('that is open is joined by a task that starts, unless it has committed its barrier before (R3)', () => {
    const rig = new Rig();
    rig.b.status = 'INITIALIZING';
    rig.trigger(4);
    rig.take();
    rig.b.lastBarrier = checkpointId(3);
    rig.follower.onTaskRunning(rig.b);
    expect(rig.take()).toEqual(['b triggered 4']);
    rig.b.lastBarrier = checkpointId(4);
    rig.follower.onTaskRunning(rig.b);
    expect(rig.take()).toEqual([]);
  });
});

describe('a round that names tasks to restart', () => {
  it('fails those of them that run here and have not committed its barrier, once every task may commit again', () => {
    const rig = new Rig();
    rig.trigger(4);
    rig.take();
    rig.b.lastBarrier = checkpointId(4); // committed while the end was on its way
    rig.end(4, ['a', 'b', 'z']);
    const [first, second, ...rest] = rig.take();
    expect([first, second]).toEqual(['a ended 4', 'b ended 4']);
    expect(rest).toEqual([expect.stringMatching(/^a fails: Task a did not commit checkpoint 4, which was given up after 7 ms,.*CHECKPOINT_NOT_TOLERATED/)]);
  });

  it('fails none that is down already: its next attempt is under way', () => {
    const rig = new Rig();
    rig.trigger(4);
    rig.take();
    rig.a.status = 'FAILED';
    rig.end(4, ['a']);
    expect(rig.take()).toEqual(['a ended 4', 'b ended 4']);
  });
});

describe('without rounds', () => {
  it('running tasks commit without barriers, every interval from the second on (R1)', async () => {
    const rig = new Rig();
    rig.follower.start();
    rig.b.status = 'FAILED';
    await rig.clock.advance(2 * INTERVAL_MS - 1);
    expect(rig.take()).toEqual([]);
    await rig.clock.advance(1 + INTERVAL_MS);
    expect(rig.take()).toEqual(['a commits plainly', 'a commits plainly']);
    rig.follower.close();
    await rig.clock.advance(3 * INTERVAL_MS);
    expect(rig.take()).toEqual([]);
  });

  it('they do so from the first interval on where checkpointing is off', async () => {
    const rig = new Rig(false);
    rig.follower.start();
    await rig.clock.advance(2 * INTERVAL_MS);
    expect(rig.take()).toEqual(['a commits plainly', 'b commits plainly', 'a commits plainly', 'b commits plainly']);
    rig.open = { version: 1, type: 'triggered', id: checkpointId(1), at: 0, broadcastEnds: [] }; // of a time when it was on
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    rig.follower.close();
  });

  it('nothing is committed so while a round is open, nor while triggers come', async () => {
    const rig = new Rig();
    rig.follower.start();
    rig.trigger(1);
    await rig.clock.advance(5 * INTERVAL_MS);
    rig.end(1);
    rig.trigger(2);
    rig.end(2);
    rig.take();
    await rig.clock.advance(INTERVAL_MS);
    expect(rig.take()).toEqual([]);
    rig.follower.close();
  });
});
