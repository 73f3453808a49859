import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { WeirError } from '../errors/weir-error.js';
import { LiveTasks } from '../task/live-task.spec-d.js';
import { chunkOf } from '../task/task-rig.spec-d.js';
import { topic } from '../topology/topic.js';
import type { JobDefinition } from './job-definition.js';
import type { RestartStrategySettings } from './settings.js';
import { TaskSlots } from './task-slots.js';

const counting: JobDefinition['define'] = (streams) =>
  streams
    .source('in', topic('in', { key: utf8, value: utf8 }))
    .keyBy(utf8, (text) => text, { alreadyPartitioned: { partitioner: 'auto' } })
    .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: `${text}${count}` }))
    .sink('out', topic('out', { key: utf8, value: utf8 }));

const DELAY_MS = 100;
const FIXED: RestartStrategySettings = { type: 'fixed-delay', attempts: 1_000, delay: DELAY_MS };
const failure = (kind: ConstructorParameters<typeof WeirError>[0], code = 'PLANNED'): WeirError => new WeirError(kind, code, 'As planned.');

class Rig {
  readonly live: LiveTasks;
  readonly slots: TaskSlots;
  readonly told: string[] = [];
  readonly givenUp: Error[] = [];

  constructor(restartStrategy: RestartStrategySettings = FIXED, partitions = 1) {
    this.live = new LiveTasks(counting, { partitions, settings: { restartStrategy } });
    this.slots = new TaskSlots(this.live.plans, {
      clock: this.live.clock,
      telemetry: this.live.telemetry,
      taskHost: this.live.host,
      onTaskFailed: (slot, error) => void this.told.push(`${slot} failed: ${(error as WeirError).code}`),
      onGiveUp: (slot, error) => {
        this.told.push(`${slot} gave up: ${(error as WeirError).code}`);
        this.givenUp.push(error);
      },
    });
    for (const name of this.slots.names) this.slots.start(name);
  }

  advance(ms = 0): Promise<void> {
    return this.live.clock.advance(ms);
  }

  /** Fails the running attempt of the first task. */
  async fail(error: Error): Promise<void> {
    await this.advance();
    this.live.log.readers.at(-1)!.feed(error);
    await this.advance();
  }

  get attempts(): number[] {
    return this.slots.tasks.map((task) => task.attempt);
  }
}

describe('the tasks of a job', () => {
  it('run all at once', async () => {
    const rig = new Rig(FIXED, 3);
    await rig.advance();
    expect([rig.slots.names.length, rig.slots.running().map((task) => task.name)]).toEqual([3, ['0-0', '0-1', '0-2']]);
  });

  it('restart alone, after the delay of the strategy, as new attempts', async () => {
    const rig = new Rig(FIXED, 2);
    await rig.fail(failure('restart-task'));
    expect(rig.told).toEqual(['0-1 failed: PLANNED']);
    expect(rig.slots.running().map((task) => task.name)).toEqual(['0-0']);
    await rig.advance(DELAY_MS - 1);
    expect(rig.attempts).toEqual([0, 0]);
    await rig.advance(1);
    expect([rig.attempts, rig.slots.running().length]).toEqual([[0, 1], 2]);
    expect(rig.live.telemetry.of('task-failed')).toMatchObject([{ subTopology: 0, task: 1, restartInMs: DELAY_MS }]);
  });

  it('give up when the strategy allows no further restart, with the cause', async () => {
    const rig = new Rig({ type: 'fixed-delay', attempts: 1, delay: DELAY_MS });
    const last = failure('retry', 'LAST');
    await rig.fail(failure('retry'));
    await rig.advance(DELAY_MS);
    await rig.fail(last);
    expect(rig.told).toEqual(['0-0 failed: PLANNED', '0-0 gave up: RESTARTS_EXHAUSTED']);
    expect([rig.givenUp[0]!.cause, rig.live.clock.pendingTimers]).toEqual([last, 0]);
    expect(rig.live.telemetry.last('task-failed')).toMatchObject({ error: last, restartInMs: undefined });
  });

  it.each(['invalid', 'data', 'internal'] as const)('give up at once what restarting cannot mend: %s', async (kind) => {
    const rig = new Rig();
    const error = failure(kind);
    await rig.fail(error);
    expect([rig.told, rig.givenUp]).toEqual([['0-0 gave up: PLANNED'], [error]]);
  });

  it('restart after errors that are none of ours, too', async () => {
    const rig = new Rig();
    await rig.fail(new TypeError('x is not a function'));
    await rig.advance(DELAY_MS);
    expect([rig.attempts, rig.slots.running().length]).toEqual([[1], 1]);
  });
});

describe('a task that is fenced', () => {
  it('restarts, for the log may have ended its transaction', async () => {
    const rig = new Rig();
    await rig.fail(failure('fenced'));
    await rig.advance(DELAY_MS);
    expect(rig.attempts).toEqual([1]);
  });

  it('gives up when it happens again and again: another process has the same id', async () => {
    const rig = new Rig();
    for (let i = 0; i < 3; i++) {
      await rig.fail(failure('fenced'));
      await rig.advance(DELAY_MS);
    }
    expect(rig.told).toEqual(['0-0 failed: PLANNED', '0-0 failed: PLANNED', '0-0 gave up: FENCED_REPEATEDLY']);
    expect(rig.givenUp[0]!.message).toContain('Task 0-0 of application app was fenced 3 times within 60000 ms');
  });

  it('does not count what is longer ago, nor what was no fencing', async () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) {
      await rig.fail(failure('fenced'));
      await rig.advance(30_000);
      await rig.fail(failure('restart-task'));
      await rig.advance(DELAY_MS);
    }
    expect(rig.givenUp).toEqual([]);
  });
});

describe('a task whose store is damaged', () => {
  const damaged = failure('rebuild-state', 'STATE_DAMAGED');

  it('has it destroyed at its next attempt, and used again at the one after', async () => {
    const rig = new Rig();
    await rig.fail(damaged);
    await rig.advance(DELAY_MS);
    expect(rig.live.backend.acts).toEqual(['open', 'destroy', 'open']);
    expect(rig.slots.tasks[0]!.overview().restore).toMatchObject({ rebuildReason: damaged.message });
    await rig.fail(failure('retry'));
    await rig.advance(DELAY_MS);
    expect(rig.live.backend.acts).toEqual(['open', 'destroy', 'open', 'open']);
  });

  it('has it destroyed also where the attempt between did not come so far', async () => {
    const rig = new Rig();
    await rig.fail(damaged);
    rig.live.log.failures.set('openWriter', failure('retry', 'UNREACHABLE'));
    await rig.advance(DELAY_MS);
    expect(rig.told.at(-1)).toBe('0-0 failed: UNREACHABLE');
    const before = rig.live.backend.acts.length;
    await rig.advance(DELAY_MS);
    expect(rig.live.backend.acts.slice(before)).toEqual(['destroy', 'open']);
  });
});

describe('a stop', () => {
  it('ends every task, and waits for all of them', async () => {
    const rig = new Rig(FIXED, 2);
    await rig.advance();
    const stopped = rig.slots.stop();
    await rig.live.clock.settled(stopped);
    expect(rig.slots.tasks.map((task) => task.status)).toEqual(['CANCELED', 'CANCELED']);
    expect(rig.told).toEqual([]);
  });

  it('calls off a restart that was waited for', async () => {
    const rig = new Rig();
    await rig.fail(failure('restart-task'));
    await rig.slots.stop();
    await rig.advance(10 * DELAY_MS);
    expect([rig.attempts, rig.live.clock.pendingTimers]).toEqual([[0], 0]);
  });

  it('restarts nothing that fails while it ends, and tells of it', async () => {
    const rig = new Rig();
    await rig.advance();
    rig.live.log.writers.at(-1)!.before = (step) => {
      if (step === 'commit') throw failure('restart-task');
    };
    await rig.live.clock.settled(rig.slots.stop());
    expect([rig.told, rig.live.clock.pendingTimers]).toEqual([['0-0 gave up: PLANNED'], 0]);
  });

  it('is not failed by a task that was given up before it: its next owner computes again what it could not commit', async () => {
    for (const giveUp of ['drop', 'close'] as const) {
      const rig = new Rig();
      await rig.advance();
      let fail = (): void => undefined;
      rig.live.log.writers.at(-1)!.before = (step) => (step === 'commit' ? new Promise((_, reject) => (fail = () => reject(failure('fenced')))) : undefined);
      rig.slots.running()[0]!.commitPlain();
      rig.live.log.readers.at(-1)!.feed(chunkOf('in', 0, [{ key: 'a', value: 'a' }]));
      await rig.advance();
      rig.slots.running()[0]!.commitPlain();
      await rig.advance();
      void rig.slots[giveUp]('0-0');
      const stopped = rig.slots.stop();
      fail();
      await rig.live.clock.settled(stopped);
      expect([giveUp, rig.told, rig.live.telemetry.of('task-failed').length]).toEqual([giveUp, [], 1]);
    }
  });
});
