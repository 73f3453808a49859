import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Injectable, Module, Scope } from '@nestjs/common';
import type { Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { JobDefinition } from '@weir/core';
import { FakeHost, FakeJobs, options, RecordedLines } from './fake-jobs.spec-d.js';
import { StreamJob } from './stream-job.decorator.js';
import type { StreamJobOptions } from './stream-job.decorator.js';
import { StreamModule } from './stream.module.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER } from './tokens.js';

class Defined implements JobDefinition {
  define(): void {
    // An empty job is enough to be found.
  }
}

@Injectable()
class Settings {
  readonly threshold = 10;
}

@StreamJob({ name: 'first' })
class FirstJob extends Defined {
  constructor(readonly settings: Settings) {
    super();
  }
}

@StreamJob({ name: 'second', settings: { applicationId: 'second-app', parallelism: 2 } })
class SecondJob extends Defined {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {}

interface Found {
  readonly jobs: FakeJobs;
  readonly lines: string[];
}

async function explored(
  providers: Provider[],
  more: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']> = [],
): Promise<Found> {
  @Module({ providers })
  class Feature {}
  const jobs = new FakeJobs();
  const lines = new RecordedLines();
  const module = await Test.createTestingModule({ imports: [StreamModule.forRoot(options({ parallelism: 1 })), Feature, ...more] })
    .overrideProvider(CREATE_JOB)
    .useValue(jobs.create)
    .overrideProvider(PROCESS_HOST)
    .useValue(new FakeHost())
    .overrideProvider(STREAM_LOGGER)
    .useValue(lines)
    .compile();
  await module.init();
  await module.close();
  return { jobs, lines: lines.lines };
}

describe('finding jobs', () => {
  it('finds decorated providers in any module, with their constructors injected', async () => {
    const { jobs } = await explored([FirstJob, Settings, SecondJob]);
    expect(jobs.made.map((job) => job.name)).toEqual(['first', 'second']);
  });

  it('lays the settings of a job over those of the module', async () => {
    const { jobs } = await explored([FirstJob, Settings, SecondJob]);
    expect(jobs.made[0]!.settings).toEqual({ applicationId: 'app', parallelism: 1, state: {} });
    expect(jobs.made[1]!.settings).toEqual({ applicationId: 'second-app', parallelism: 2, state: {} });
  });

  it('finds a job that a factory made, once, also under an alias', async () => {
    const { jobs } = await explored([
      { provide: 'made', useFactory: () => new SecondJob() },
      { provide: 'alias', useExisting: 'made' },
    ]);
    expect(jobs.made.map((job) => job.name)).toEqual(['second']);
  });

  it('takes a subclass that is not decorated for no job', async () => {
    @Injectable()
    class Sub extends SecondJob {}
    const { jobs } = await explored([Sub, FirstJob, Settings]);
    expect(jobs.made.map((job) => job.name)).toEqual(['first']);
  });

  it('warns about a decorated class that no module provides, while others run', async () => {
    const { lines } = await explored([FirstJob, Settings]);
    expect(lines).toContain('warn SecondJob carries @StreamJob, but no module provides it: it does not run');
    expect(lines.filter((line) => line.includes('FirstJob carries'))).toEqual([]);
  });

  it('refuses to start where every decorated class was forgotten', async () => {
    await expect(explored([Settings])).rejects.toThrow(
      /no job to run: FirstJob, SecondJob.*no module of this application lists.*NEST_JOB_NOT_PROVIDED/,
    );
  });

  it('refuses a decorated class without define', async () => {
    class Empty {}
    StreamJob({ name: 'empty' })(Empty as new () => JobDefinition);
    await expect(explored([Empty])).rejects.toThrow(/class Empty carries @StreamJob.*its define is missing.*NEST_DEFINE_MISSING/);
  });

  it('refuses a name that two jobs have, and names both', async () => {
    @StreamJob({ name: 'second', settings: { applicationId: 'third-app' } })
    class ThirdJob extends Defined {}
    await expect(explored([SecondJob, ThirdJob])).rejects.toThrow(/"second" is taken by 2 providers: SecondJob, ThirdJob/);
  });

  it('refuses a job class that two modules provide', async () => {
    @Module({ providers: [SecondJob] })
    class Other {}
    await expect(explored([SecondJob], [Other])).rejects.toThrow(/taken by 2 providers: SecondJob, SecondJob/);
  });

  it('refuses jobs that share an applicationId, since they would fence each other', async () => {
    @StreamJob({ name: 'fourth' })
    class FourthJob extends Defined {}
    await expect(explored([FirstJob, Settings, FourthJob])).rejects.toThrow(/jobs first, fourth share the applicationId "app"/);
  });

  it('refuses a job that lives as long as a request', async () => {
    @StreamJob({ name: 'scoped' })
    class ScopedJob extends Defined {
      constructor(readonly request: PerRequest) {
        super();
      }
    }
    await expect(explored([ScopedJob, PerRequest])).rejects.toThrow(/ScopedJob is request-scoped/);
  });

  it('refuses a transient job', async () => {
    @StreamJob({ name: 'transient' })
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientJob extends Defined {}
    await expect(explored([TransientJob])).rejects.toThrow(/TransientJob is transient/);
  });

  it('refuses to be configured twice, for each would run every job', async () => {
    await expect(explored([SecondJob], [StreamModule.forRoot(options({ applicationId: 'other' }))])).rejects.toThrow(
      /configured 2 times.*NEST_MODULE_TWICE/,
    );
  });
});

describe('@StreamJob', () => {
  it.each<[string, unknown, RegExp]>([
    ['no name', {}, /name of Wrong takes letters.*nothing came/],
    ['a name with a space', { name: 'a b' }, /"a b" came/],
    ['an unknown setting', { name: 'a', settings: { paralelism: 1 } }, /@StreamJob\(a\)\.settings\.paralelism, which does not exist/],
    ['settings that are a number', { name: 'a', settings: 3 }, /@StreamJob\(a\)\.settings takes an object, and 3 came/],
  ])('refuses %s where the class is declared', (_, given, message) => {
    class Wrong extends Defined {}
    expect(() => StreamJob(given as StreamJobOptions)(Wrong)).toThrow(message);
  });
});
