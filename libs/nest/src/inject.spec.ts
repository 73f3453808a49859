import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Optional, Scope } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { JobDefinition } from '@weir/core';
import { FakeHost, FakeJobs, options, RecordedLines } from './fake-jobs.spec-d.js';
import type { FakeStreams } from './fake-jobs.spec-d.js';
import { inject } from './inject.js';
import { StreamJob } from './stream-job.decorator.js';
import { StreamModule } from './stream.module.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER } from './tokens.js';

@Injectable()
class Thresholds {
  readonly threshold = 10;
}

@Injectable()
class TheFunction {
  @Inject('unit')
  readonly unit!: string;
  seen = 0;

  constructor(
    readonly thresholds: Thresholds,
    @Inject('factor') readonly factor: number,
    @Optional() @Inject('absent') readonly absent?: string,
  ) {}
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {}

@Injectable()
class NeedsRequest {
  constructor(readonly request: PerRequest) {}
}

@Injectable()
class NeedsTheAbsent {
  constructor(@Inject('absent') readonly absent: string) {}
}

const use = (streams: unknown, factory: () => unknown): void => (streams as FakeStreams).use(factory);

const providers = [Thresholds, PerRequest, { provide: 'factor', useValue: 3 }, { provide: 'unit', useValue: 'C' }];

async function started(job: new () => JobDefinition, jobs = new FakeJobs()): Promise<INestApplicationContext> {
  @Module({ providers: [job, ...providers] })
  class Feature {}
  const module = await Test.createTestingModule({ imports: [StreamModule.forRoot(options()), Feature] })
    .overrideProvider(CREATE_JOB)
    .useValue(jobs.create)
    .overrideProvider(PROCESS_HOST)
    .useValue(new FakeHost())
    .overrideProvider(STREAM_LOGGER)
    .useValue(new RecordedLines())
    .compile();
  return module.init();
}

describe('inject', () => {
  it('makes an instance for each task from what Nest resolves in the module of the job', async () => {
    @StreamJob({ name: 'injects' })
    class InjectingJob implements JobDefinition {
      define(streams: unknown): void {
        use(streams, inject(TheFunction));
      }
    }
    const jobs = new FakeJobs();
    const app = await started(InjectingJob, jobs);
    const [first, second] = [jobs.factories[0]!() as TheFunction, jobs.factories[0]!() as TheFunction];
    expect(first).toBeInstanceOf(TheFunction);
    expect(first).toMatchObject({ thresholds: { threshold: 10 }, factor: 3, absent: undefined, unit: 'C', seen: 0 });
    first.seen = 5;
    expect(second.seen).toBe(0);
    expect(second).not.toBe(first);
    expect(second.thresholds).toBe(first.thresholds);
    await app.close();
  });

  it('is refused outside of define', () => {
    expect(() => inject(TheFunction)).toThrow(/inject\(TheFunction\) was called outside of a job's define.*NEST_INJECT_OUTSIDE_DEFINE/);
  });

  it('is refused again once define has thrown', async () => {
    @StreamJob({ name: 'throws' })
    class ThrowingJob implements JobDefinition {
      define(): void {
        throw new Error('the topology is wrong');
      }
    }
    await expect(started(ThrowingJob)).rejects.toThrow('the topology is wrong');
    expect(() => inject(TheFunction)).toThrow('NEST_INJECT_OUTSIDE_DEFINE');
  });

  it('refuses to make an instance within define, when nothing is resolved yet', async () => {
    @StreamJob({ name: 'early' })
    class EarlyJob implements JobDefinition {
      define(): void {
        inject(TheFunction)();
      }
    }
    await expect(started(EarlyJob)).rejects.toThrow(/inject\(TheFunction\) in the job "early" was called before the job started/);
  });

  it('names the class and the job whose dependencies are missing, with the words of Nest as the cause', async () => {
    @StreamJob({ name: 'lacking' })
    class LackingJob implements JobDefinition {
      define(streams: unknown): void {
        use(streams, inject(NeedsTheAbsent));
      }
    }
    const failure = await started(LackingJob).catch((thrown: unknown) => thrown as Error);
    expect(failure).toMatchObject({ code: 'NEST_INJECT_UNRESOLVED', message: expect.stringMatching(/NeedsTheAbsent.*"lacking"/) });
    expect((failure as Error).cause).toMatchObject({ message: expect.stringMatching(/NeedsTheAbsent.*absent/s) });
  });

  it('refuses a class that depends on a request, of which a task has none', async () => {
    @StreamJob({ name: 'requesting' })
    class RequestingJob implements JobDefinition {
      define(streams: unknown): void {
        use(streams, inject(NeedsRequest));
      }
    }
    await expect(started(RequestingJob)).rejects.toMatchObject({ code: 'NEST_INJECT_UNRESOLVED' });
  });
});
