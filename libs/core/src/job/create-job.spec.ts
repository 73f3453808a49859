import { describe, expect, it } from '@jest/globals';
import { ManualClock, RecordingTelemetry } from '@weir/testing';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { WeirError } from '../errors/weir-error.js';
import { FakeBackend } from '../state/fake-store.spec-d.js';
import { FakeLog } from '../task/fake-log.spec-d.js';
import { chunkOf } from '../task/task-rig.spec-d.js';
import type { Stream } from '../topology/stream-builder.js';
import { topic } from '../topology/topic.js';
import { withControl } from './control-apart.spec-d.js';
import { createJob } from './create-job.js';
import { changelogTopic } from './internal-topics.js';
import type { Job } from './job.js';
import type { JobDefinition } from './job-definition.js';
import type { JobSettings } from './settings.js';
import { incarnation } from '../model/brands.js';

const text = (name: string) => topic(name, { key: utf8, value: utf8 });
const counting: JobDefinition = {
  define: (streams) =>
    streams
      .source('in', text('in'))
      .keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'auto' } })
      .mapWithState('count', float64, (value, count = 0) => ({ state: count + 1, value: `${value}${count}` }))
      .sink('out', text('out')),
};
const DELAY_MS = 100;

class Rig {
  readonly clock = new ManualClock();
  readonly telemetry = new RecordingTelemetry();
  readonly log = new FakeLog();
  readonly backend = new FakeBackend();
  /** Adapters that were opened and closed, in order. */
  readonly acts: string[] = [];
  /** Thrown by the next opens of the log, one each. */
  readonly openFailures: Error[] = [];
  readonly job: Job;

  constructor(settings: Partial<JobSettings> = {}, definition = counting) {
    const closeLog = this.log.close.bind(this.log);
    const closeBackend = this.backend.close.bind(this.backend);
    this.log.close = () => (this.acts.push('log closed'), closeLog());
    this.backend.close = () => (this.acts.push('backend closed'), closeBackend());
    this.job = createJob(
      'alerts',
      definition,
      { applicationId: 'app', group: 'none', restartStrategy: { type: 'fixed-delay', attempts: 100, delay: DELAY_MS }, ...settings },
      {
        clock: this.clock,
        telemetry: this.telemetry,
        log: {
          open: async ({ clientId }) => {
            this.acts.push(`log opened for ${clientId}`);
            const failure = this.openFailures.shift();
            if (failure !== undefined) throw failure;
            return withControl(this.log, 'app', this.clock);
          },
        },
        state: {
          kind: 'rocksdb',
          open: async (stores) => {
            this.acts.push(`backend opened for ${stores}`);
            return this.backend;
          },
        },
      },
    );
  }

  /** The topics that the job reads, with their ends, and the ends of what it will create. */
  withInput(partitions = 1): this {
    this.log.topics.set('in', { topic: 'in', topicId: 'id-of-in', partitions, deleteRetentionMs: 1_000 });
    for (let partition = 0; partition < partitions; partition++) {
      this.log.setEnds('in', partition, 0, 0);
      this.log.setEnds(changelogTopic('app', incarnation(0), 0), partition, 0, 0);
    }
    return this;
  }

  async started(): Promise<this> {
    this.job.start();
    await this.clock.advance(0);
    return this;
  }

  async fail(error: Error): Promise<void> {
    this.log.readers.at(-1)!.feed(error);
    await this.clock.advance(0);
  }

  get moves(): string[] {
    return this.telemetry.of('job-status').map(({ to, reason }) => (reason === undefined ? to : `${to}: ${reason}`));
  }
}

const planned = (kind: 'restart-task' | 'invalid' | 'retry' = 'restart-task'): WeirError => new WeirError(kind, 'PLANNED', 'As planned.');

describe('making a job', () => {
  it('refuses settings and topologies that cannot work before anything is opened', () => {
    expect(thrownBy(() => new Rig({ parallelism: 0 })).code).toBe('SETTING_INVALID');
    expect(thrownBy(() => new Rig({}, { define: () => undefined })).message).toContain('Job alerts cannot be built: it has no source');
    const feedsItself: JobDefinition = {
      define: (streams) => {
        const input = streams.source('in', text('in'));
        const shuffled = input.keyBy(utf8, (value) => value).filterWithState('seen', float64, () => ({ state: 1, keep: true }));
        (shuffled as Stream<string | null, string>).union(input).sink('out', text('out'));
      },
    };
    expect(thrownBy(() => new Rig({}, feedsItself)).message).toContain('a stream is joined with one that was shuffled from it');
  });

  it('opens nothing and tells nothing before it is started', () => {
    const rig = new Rig();
    expect([rig.acts, rig.moves, rig.job.overview().status, rig.job.isReady()]).toEqual([[], [], 'CREATED', false]);
  });
});

describe('the start of a job', () => {
  it('opens log and backend, creates what is missing, and is ready once every task runs', async () => {
    const rig = await new Rig().withInput(3).started();
    expect(rig.acts).toEqual(['log opened for app', 'backend opened for 3']);
    expect(rig.log.created.map(({ topic: name, partitions }) => [name, partitions])).toEqual([
      ['out', 3],
      ['app-0-0-changelog', 3],
    ]);
    expect([rig.moves, rig.job.isReady()]).toEqual([['INITIALIZING', 'RUNNING'], true]);
    expect(rig.job.overview()).toMatchObject({ name: 'alerts', applicationId: 'app', parallelism: 3, maxParallelism: 128, status: 'RUNNING', reason: undefined });
  });

  it('waits for a missing input and says so once, and not again every second', async () => {
    const rig = await new Rig().started();
    await rig.clock.advance(5_000);
    const said = 'waiting for input topic "in", which does not exist yet: create it, and the job goes on by itself';
    expect(rig.telemetry.of('job-waiting').map(({ reason }) => reason)).toEqual([said]);
    expect([rig.job.overview().reason, rig.job.isReady()]).toEqual([said, false]);
    rig.withInput();
    await rig.clock.advance(1_000);
    expect([rig.job.overview().reason, rig.job.isReady()]).toEqual([undefined, true]);
  });

  it('waits for a log that cannot be reached', async () => {
    const rig = new Rig().withInput();
    rig.openFailures.push(planned('retry'), planned('retry'));
    await rig.started();
    expect(rig.job.overview().reason).toContain('waiting for the log: As planned.');
    await rig.clock.advance(2_000);
    expect(rig.job.isReady()).toBe(true);
  });

  it('fails with what waiting does not mend, and closes what it opened', async () => {
    const rig = new Rig({ parallelism: 2 }).withInput(1);
    await rig.started();
    expect(await rig.job.ended).toMatchObject({ status: 'FAILED', error: { code: 'PARALLELISM_TOO_HIGH' } });
    expect([rig.acts, rig.moves.map((move) => move.split(':')[0])]).toEqual([
      ['log opened for app', 'log closed'],
      ['INITIALIZING', 'FAILING', 'FAILED'],
    ]);
  });

  it('happens once, however often it is asked for', async () => {
    const rig = await new Rig().withInput().started();
    rig.job.start();
    await rig.clock.advance(0);
    expect(rig.moves).toEqual(['INITIALIZING', 'RUNNING']);
  });
});

describe('a running job', () => {
  it('takes checkpoints by the interval, and counts them', async () => {
    const rig = await new Rig({ checkpointing: { interval: 100 } }).withInput().started();
    rig.log.readers.at(-1)!.feed(chunkOf('in', 0, [{ value: 'a' }]));
    await rig.clock.advance(250);
    expect(rig.job.overview().checkpoints).toMatchObject({ completed: 2, failed: 0, latest: { id: 2 } });
    expect(rig.telemetry.of('checkpoint-completed').map(({ job, checkpoint }) => [job, checkpoint])).toEqual([
      ['alerts', 1],
      ['alerts', 2],
    ]);
  });

  it('restarts a task that failed, is not ready meanwhile and says why', async () => {
    const rig = await new Rig().withInput().started();
    await rig.fail(planned());
    expect([rig.job.overview().status, rig.job.overview().reason, rig.job.isReady()]).toEqual(['RESTARTING', 'As planned. [PLANNED]', false]);
    await rig.clock.advance(DELAY_MS);
    expect([rig.moves, rig.job.isReady()]).toEqual([['INITIALIZING', 'RUNNING', 'RESTARTING: As planned. [PLANNED]', 'RUNNING'], true]);
    expect(rig.job.overview()).toMatchObject({ reason: undefined, tasks: [{ attempt: 1, status: 'RUNNING' }] });
  });

  it('remembers the latest 16 failures, newest first', async () => {
    const rig = await new Rig().withInput().started();
    for (let i = 0; i < 20; i++) {
      await rig.fail(new WeirError('restart-task', 'PLANNED', `Failure ${i}.`));
      await rig.clock.advance(DELAY_MS);
    }
    const { failures } = rig.job.overview();
    expect([failures.length, failures[0]!.message, failures[15]!.message, failures[0]!.task]).toEqual([16, 'Failure 19. [PLANNED]', 'Failure 4. [PLANNED]', '0-0']);
  });

  it('fails when a task gives up: everything is closed, and the outcome says why', async () => {
    const rig = await new Rig().withInput(2).started();
    const error = planned('invalid');
    await rig.fail(error);
    expect(await rig.job.ended).toEqual({ status: 'FAILED', error });
    expect(rig.moves.slice(-2)).toEqual(['FAILING: As planned. [PLANNED]', 'FAILED: As planned. [PLANNED]']);
    expect(rig.acts.slice(-2)).toEqual(['backend closed', 'log closed']);
    expect([rig.job.overview().failures.length, rig.clock.pendingTimers]).toEqual([1, 0]);
  });
});

describe('the stop of a job', () => {
  it('lets every task take its last commit, then closes backend and log, and leaves no timer behind', async () => {
    const rig = await new Rig().withInput().started();
    rig.log.readers.at(-1)!.feed(chunkOf('in', 0, [{ value: 'a' }]));
    await rig.clock.advance(0);
    expect(await rig.clock.settled(rig.job.stop(8_000))).toEqual({ status: 'CANCELED' });
    expect(rig.log.writers.at(-1)!.steps).toEqual(['begin', 'append out-0:1 app-0-0-changelog-0:3', 'addOffsets', 'commit', 'close']);
    expect(rig.acts.slice(-2)).toEqual(['backend closed', 'log closed']);
    expect([rig.moves, rig.clock.pendingTimers]).toEqual([['INITIALIZING', 'RUNNING', 'CANCELLING', 'CANCELED'], 0]);
  });

  it('calls an open round off, which is no failed checkpoint', async () => {
    const rig = await new Rig({ checkpointing: { interval: 100 } }).withInput().started();
    rig.log.writers.at(-1)!.before = (step) => (step === 'append' ? new Promise((resolve) => void rig.clock.after(50, resolve)) : undefined);
    await rig.clock.advance(110);
    await rig.clock.settled(rig.job.stop(8_000));
    expect(rig.job.overview().checkpoints).toMatchObject({ completed: 0, failed: 0 });
    expect(rig.telemetry.of('checkpoint-failed')).toMatchObject([{ checkpoint: 1, outcome: 'abandoned' }]);
  });

  it('before the start ends it at once, and it cannot be started any more', async () => {
    const rig = new Rig().withInput();
    expect(await rig.job.stop(8_000)).toEqual({ status: 'CANCELED' });
    await rig.started();
    expect([rig.acts, rig.moves]).toEqual([[], ['CANCELED']]);
  });

  it('ends a job that waits for its input', async () => {
    const rig = await new Rig().started();
    expect(await rig.clock.settled(rig.job.stop(8_000))).toEqual({ status: 'CANCELED' });
    expect([rig.acts.at(-1), rig.moves]).toEqual(['log closed', ['INITIALIZING', 'CANCELLING', 'CANCELED']]);
  });

  it('gives up at its deadline, and says so', async () => {
    const rig = await new Rig().withInput().started();
    rig.log.writers.at(-1)!.before = (step) => (step === 'append' ? new Promise(() => undefined) : undefined);
    const outcome = await rig.clock.settled(rig.job.stop(8_000));
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'STOP_TIMED_OUT' } });
    expect(rig.clock.monotonic()).toBe(8_000);
    expect(rig.moves.map((move) => move.split(':')[0])).toEqual(['INITIALIZING', 'RUNNING', 'CANCELLING', 'FAILING', 'FAILED']);
  });

  it('is one, however often it is asked for', async () => {
    const rig = await new Rig().withInput().started();
    const [first, second] = [rig.job.stop(8_000), rig.job.stop(1)];
    await rig.clock.settled(first);
    expect([await second, rig.moves.filter((move) => move === 'CANCELLING').length]).toEqual([{ status: 'CANCELED' }, 1]);
  });

  it('fails where the last commit does, for what was to be committed is replayed', async () => {
    const rig = await new Rig().withInput().started();
    rig.log.writers.at(-1)!.before = (step) => {
      if (step === 'commit') throw planned();
    };
    expect(await rig.clock.settled(rig.job.stop(8_000))).toMatchObject({ status: 'FAILED', error: { code: 'PLANNED' } });
    expect(rig.acts.slice(-2)).toEqual(['backend closed', 'log closed']);
  });

  it('closes the log although the backend could not be closed, and tells of that', async () => {
    const rig = await new Rig().withInput().started();
    rig.backend.close = () => Promise.reject(new Error('cannot close'));
    expect(await rig.clock.settled(rig.job.stop(8_000))).toMatchObject({ status: 'FAILED', error: { message: 'cannot close' } });
    expect(rig.acts.at(-1)).toBe('log closed');
  });
});
