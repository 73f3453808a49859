import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import type { JobDefinition, StateBackendFactory, TelemetryEvent } from '@weir/core';
import { FakeHost, FakeJobs, options, RecordedLines, SteppedClock } from './fake-jobs.spec-d.js';
import type { FakeJob } from './fake-jobs.spec-d.js';
import type { StreamModuleAsyncOptions, StreamModuleOptions, StreamOptionsFactory } from './options.js';
import { StreamJob } from './stream-job.decorator.js';
import { StreamModule } from './stream.module.js';
import { StreamRunner } from './stream-runner.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER, STREAM_OPTIONS } from './tokens.js';

@StreamJob({ name: 'alerts' })
class AlertsJob implements JobDefinition {
  define(): void {
    // The fake engine runs nothing.
  }
}

@StreamJob({ name: 'averages', settings: { applicationId: 'averages' } })
class AveragesJob implements JobDefinition {
  define(): void {
    // The fake engine runs nothing.
  }
}

@Module({ providers: [AlertsJob, AveragesJob] })
class Jobs {}

interface Rig {
  readonly module: TestingModule;
  readonly jobs: FakeJobs;
  readonly host: FakeHost;
  readonly lines: string[];
  readonly clock: SteppedClock;
  readonly runner: StreamRunner;
  readonly job: (name: string) => FakeJob;
}

async function rig(more: Partial<StreamModuleOptions> = {}, imports: unknown[] = []): Promise<Rig> {
  const clock = new SteppedClock();
  const [jobs, host, recorded] = [new FakeJobs(), new FakeHost(), new RecordedLines()];
  const module = await Test.createTestingModule({ imports: [StreamModule.forRoot(options({ clock, ...more })), Jobs, ...(imports as [])] })
    .overrideProvider(CREATE_JOB)
    .useValue(jobs.create)
    .overrideProvider(PROCESS_HOST)
    .useValue(host)
    .overrideProvider(STREAM_LOGGER)
    .useValue(recorded)
    .compile();
  const job = (name: string): FakeJob => jobs.made.find((made) => made.name === name)!;
  return { module, jobs, host, lines: recorded.lines, clock, runner: module.get(StreamRunner), job };
}

/** Lets pending work go as far as it gets without the clock: closing an application takes turns of the event loop, not only of promises. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('the runner, within the life of an application', () => {
  it('starts each job once when the application is up', async () => {
    const { module, jobs } = await rig();
    expect(jobs.made).toEqual([]);
    await module.init();
    expect(jobs.made.map((job) => [job.name, job.calls])).toEqual([
      ['alerts', ['start']],
      ['averages', ['start']],
    ]);
    await module.close();
  });

  it('gives each of its jobs a part of the one memory budget, where the backend has one', async () => {
    const part: StateBackendFactory = { ...options().state as StateBackendFactory, kind: 'rocksdb' };
    const asked: number[] = [];
    const whole: StateBackendFactory = { ...part, sharedAmong: (count) => (asked.push(count), part) };
    const { module, jobs } = await rig({ state: whole });
    await module.init();
    expect([asked, jobs.made.map(({ ports }) => ports.state === part)]).toEqual([[2], [true, true]]);
    await module.close();
  });

  it('starts nothing twice, however often and from wherever it is asked', async () => {
    const { module, jobs, runner } = await rig();
    await Promise.all([runner.start(), runner.start(), module.init()]);
    await runner.start();
    expect(jobs.made.map((job) => job.calls)).toEqual([['start'], ['start']]);
    await module.close();
  });

  it('makes jobs but leaves their start to others when autoStart is false', async () => {
    const { module, jobs, runner } = await rig({ autoStart: false });
    await module.init();
    expect(jobs.made.map((job) => job.calls)).toEqual([[], []]);
    expect(runner.overviews().map((job) => job.status)).toEqual(['CREATED', 'CREATED']);
    await runner.start();
    expect(jobs.made.map((job) => job.calls)).toEqual([['start'], ['start']]);
    await module.close();
  });

  it('lets a job that cannot be made fail the start of the application, and starts no other', async () => {
    const { module, jobs } = await rig();
    const create = jobs.create;
    const refusing: FakeJobs['create'] = (name, ...rest) => {
      if (name === 'averages') throw new Error('parallelism takes 1 to 4, and 9 came');
      return create(name, ...rest);
    };
    const refused = await Test.createTestingModule({ imports: [StreamModule.forRoot(options()), Jobs] })
      .overrideProvider(CREATE_JOB)
      .useValue(refusing)
      .overrideProvider(STREAM_LOGGER)
      .useValue(new RecordedLines())
      .compile();
    await expect(refused.init()).rejects.toThrow('parallelism takes 1 to 4, and 9 came');
    expect(jobs.made.map((job) => job.calls)).toEqual([[]]);
    await module.close();
  });

  it('stops jobs with the bound of the options before the application closes its connections', async () => {
    const order: string[] = [];
    @Injectable()
    class Database implements OnApplicationBootstrap, BeforeApplicationShutdown {
      onApplicationBootstrap(): void {
        order.push('database up');
      }
      onModuleDestroy(): void {
        order.push('modules destroyed');
      }
      beforeApplicationShutdown(): void {
        order.push('before shutdown');
      }
      onApplicationShutdown(): void {
        order.push(`shutdown, jobs ${made().join()}`);
      }
    }
    @Module({ providers: [Database] })
    class Databases {}
    const { module, jobs, clock } = await rig({ shutdownTimeoutMs: 5000 }, [Databases]);
    const made = (): string[] => jobs.made.map((job) => job.status);
    await module.init();
    await module.close();
    expect(jobs.made.map((job) => [job.calls, job.stopDeadline])).toEqual([
      [['start', 'stop'], 5000],
      [['start', 'stop'], 5000],
    ]);
    expect(order.at(-1)).toBe('shutdown, jobs CANCELED,CANCELED');
    expect(clock.pending).toBe(0);
  });

  it('waits for the final checkpoints of all jobs', async () => {
    const { module, job, clock } = await rig();
    await module.init();
    job('averages').stopsAtOnce = false;
    let closed = false;
    const closing = module.close().then(() => (closed = true));
    await turns();
    expect([job('alerts').status, closed]).toEqual(['CANCELED', false]);
    job('averages').end({ status: 'CANCELED' });
    await closing;
    expect(clock.pending).toBe(0);
  });

  it('leaves a job behind that does not stop within the bound and a second, and says which', async () => {
    const { module, job, clock, lines } = await rig({ shutdownTimeoutMs: 5000 });
    await module.init();
    job('averages').stopsAtOnce = false;
    let closed = false;
    const closing = module.close().then(() => (closed = true));
    await turns();
    clock.advance(5999);
    await turns();
    expect(closed).toBe(false);
    clock.advance(1);
    await closing;
    expect(lines).toContain('error averages: not stopped after 6000 ms, left behind; uncommitted records are replayed at the next start');
  });

  it('stops once, and never starts again', async () => {
    const { module, job, runner } = await rig();
    await module.init();
    await Promise.all([runner.stop(), runner.stop()]);
    await module.close();
    expect(job('alerts').calls).toEqual(['start', 'stop']);
    await expect(runner.start()).rejects.toThrow(/are STOPPED already.*NEST_START_AFTER_STOP/);
  });

  it('stops before it has started when the application is closed at once', async () => {
    const { module, runner } = await rig();
    await module.close();
    await expect(runner.start()).rejects.toMatchObject({ code: 'NEST_START_AFTER_STOP' });
  });

  it('does not start jobs when a stop came while they were being made', async () => {
    const { runner, jobs } = await rig();
    const starting = runner.start();
    const stopping = runner.stop();
    await Promise.allSettled([starting, stopping]);
    for (const job of jobs.made) expect(job.calls.lastIndexOf('start')).toBeLessThan(job.calls.indexOf('stop'));
  });

  it('sees to the exit code when a signal ends the application, and only then', async () => {
    const first = await rig();
    await first.module.init();
    await first.module.close();
    expect(first.host.calls).toEqual([]);
    const second = await rig();
    await second.module.init();
    await second.module.close('SIGTERM');
    expect(second.host.calls).toEqual(['exitAfterShutdown SIGTERM']);
  });
});

describe('a job that has failed', () => {
  const failure = new Error('the final word', { cause: new TypeError('the root\nof it') });

  it('is logged once with its causes in one line, and sets the exit code', async () => {
    const { module, job, host, lines } = await rig();
    await module.init();
    job('alerts').end({ status: 'FAILED', error: failure });
    await turns();
    expect(lines.filter((line) => line.includes('the final word'))).toEqual([
      'error alerts: FAILED: Error: the final word Caused by: TypeError: the root\\nof it',
    ]);
    expect(host.calls).toEqual(['failWith 1']);
    expect(job('averages').calls).toEqual(['start']);
    await module.close();
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
  });

  it('ends the process where that is wanted, after the final checkpoints of the others', async () => {
    const { module, job, host } = await rig({ exitOnFailure: 3 });
    await module.init();
    job('averages').stopsAtOnce = false;
    job('alerts').end({ status: 'FAILED', error: failure });
    await turns();
    expect(host.calls).toEqual(['failWith 3']);
    expect([job('alerts').calls, job('averages').calls]).toEqual([['start'], ['start', 'stop']]);
    job('averages').end({ status: 'CANCELED' });
    await turns();
    expect(host.calls).toEqual(['failWith 3', 'exit 3']);
    await module.close();
  });
});

describe('a job that fails in its final checkpoint', () => {
  it('sets the exit code, and leaves the end of the process to the shutdown that is under way', async () => {
    const { module, job, host } = await rig({ exitOnFailure: 3 });
    await module.init();
    job('averages').stopsAtOnce = false;
    const closing = module.close('SIGTERM');
    await turns();
    job('averages').end({ status: 'FAILED', error: new Error('disk full') });
    await closing;
    await turns();
    expect(host.calls).toEqual(['failWith 3', 'exitAfterShutdown SIGTERM']);
  });
});

describe('telemetry of the runner', () => {
  it('reaches the telemetry of the options too, whose throwing is said once and harms nobody', async () => {
    const seen: string[] = [];
    const telemetry = {
      emit: (event: TelemetryEvent): void => {
        seen.push(event.type);
        throw new Error('mine');
      },
    };
    const { module, job, lines } = await rig({ telemetry });
    await module.init();
    job('alerts').moveTo('RUNNING');
    expect(seen).toEqual(['job-status', 'job-status', 'job-status']);
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringMatching(/option telemetry threw on the event job-status.*mine/),
    ]);
    expect(lines).toContain('log alerts: INITIALIZING -> RUNNING');
    await module.close();
  });
});

describe('StreamModule.forRootAsync', () => {
  @Injectable()
  class Config implements StreamOptionsFactory {
    createStreamOptions(): StreamModuleOptions {
      return options({ applicationId: 'from-config', autoStart: false });
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  const compiledWith = async (asyncOptions: StreamModuleAsyncOptions): Promise<unknown> => {
    const module = await Test.createTestingModule({ imports: [StreamModule.forRootAsync(asyncOptions)] }).compile();
    return module.get<unknown>(STREAM_OPTIONS);
  };

  it('takes options from a factory with its dependencies', async () => {
    const useFactory = async (config: Config): Promise<StreamModuleOptions> => config.createStreamOptions();
    const compiled = await compiledWith({ imports: [ConfigModule], inject: [Config], useFactory, http: { prefix: 'x' } });
    expect(compiled).toMatchObject({ settings: { applicationId: 'from-config' }, autoStart: false, http: { prefix: 'x' } });
  });

  it('takes options from a class that it makes, or one that exists', async () => {
    expect(await compiledWith({ useClass: Config })).toMatchObject({ settings: { applicationId: 'from-config' } });
    expect(await compiledWith({ imports: [ConfigModule], useExisting: Config })).toMatchObject({
      settings: { applicationId: 'from-config' },
    });
  });

  it('refuses wrong options when the application starts', async () => {
    await expect(compiledWith({ useFactory: () => options({ shutdownTimeoutMs: 1 }) })).rejects.toThrow(/shutdownTimeoutMs.*and 1 came/);
  });

  it('refuses none and more than one source of options', () => {
    expect(() => StreamModule.forRootAsync({})).toThrow(/exactly one of.*none came/);
    expect(() => StreamModule.forRootAsync({ useClass: Config, useExisting: Config })).toThrow(/useClass and useExisting came/);
  });
});
