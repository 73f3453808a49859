import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Controller, Module } from '@nestjs/common';
import { EventPattern, Transport } from '@nestjs/microservices';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import type { JobDefinition, JobStatus } from '@weir/core';
import { FakeHost, FakeJobs, options, RecordedLines, SteppedClock } from './fake-jobs.spec-d.js';
import type { StreamModuleOptions } from './options.js';
import { StreamJob } from './stream-job.decorator.js';
import { StreamModule } from './stream.module.js';
import { StreamTransport, transportStatus } from './stream-transport.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER } from './tokens.js';

@StreamJob({ name: 'alerts' })
class AlertsJob implements JobDefinition {
  define(): void {
    // The fake engine runs nothing.
  }
}

@Controller()
class Handlers {
  @EventPattern('of another transport', Transport.TCP)
  handle(_data: unknown): void {
    // Never called: it is offered to the transport that it names.
  }
}

@Module({ providers: [AlertsJob], controllers: [Handlers] })
class Jobs {}

async function rig(more: Partial<StreamModuleOptions> = {}): Promise<{ module: TestingModule; jobs: FakeJobs; lines: string[] }> {
  const jobs = new FakeJobs();
  const recorded = new RecordedLines();
  const clock = new SteppedClock();
  const module = await Test.createTestingModule({ imports: [StreamModule.forRoot(options({ clock, http: false, ...more })), Jobs] })
    .overrideProvider(CREATE_JOB)
    .useValue(jobs.create)
    .overrideProvider(PROCESS_HOST)
    .useValue(new FakeHost())
    .overrideProvider(STREAM_LOGGER)
    .useValue(recorded)
    .compile();
  return { module, jobs, lines: recorded.lines };
}

describe('jobs as a transport strategy', () => {
  it('start with the microservices of a hybrid application, and stop with it', async () => {
    const { module, jobs } = await rig({ autoStart: false });
    const app = module.createNestApplication({ logger: false });
    const strategy: CustomTransportStrategy = app.get(StreamTransport);
    app.connectMicroservice({ strategy });
    await app.init();
    expect(jobs.made.map((job) => job.calls)).toEqual([[]]);
    await app.startAllMicroservices();
    expect(jobs.made.map((job) => job.calls)).toEqual([['start']]);
    await app.close();
    expect(jobs.made.map((job) => job.calls)).toEqual([['start', 'stop']]);
  });

  it('start once, whichever of module and transport comes first', async () => {
    for (const transportFirst of [true, false]) {
      const { module, jobs } = await rig();
      const app = module.createNestApplication({ logger: false });
      app.connectMicroservice({ strategy: app.get(StreamTransport) });
      if (transportFirst) await app.startAllMicroservices();
      await app.init();
      if (!transportFirst) await app.startAllMicroservices();
      expect(jobs.made.map((job) => job.calls)).toEqual([['start']]);
      await app.close();
    }
  });

  it('run as a microservice alone, whose status events and jobs Nest hands out', async () => {
    const { module, jobs } = await rig({ autoStart: false });
    const app = module.createNestMicroservice({ strategy: module.get(StreamTransport), logger: false });
    const seen: string[] = [];
    app.status.subscribe((status: string) => seen.push(status));
    app.on('failed', () => seen.push('on failed'));
    await app.listen();
    expect(app.unwrap<readonly unknown[]>()).toEqual(jobs.made);
    const [job] = jobs.made;
    job!.moveTo('RUNNING');
    job!.moveTo('RESTARTING', 'task 0-1 failed');
    job!.moveTo('RUNNING');
    job!.moveTo('FAILING');
    job!.end({ status: 'FAILED', error: new Error('enough') });
    expect(seen).toEqual(['connecting', 'connected', 'restarting', 'connected', 'failed', 'on failed']);
    await app.close();
  });

  it('pass a start that failed to the microservice, which rejects', async () => {
    const { module } = await rig({ autoStart: false });
    const transport = module.get(StreamTransport);
    await transport.close();
    const app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: transport });
    await expect(app.startAllMicroservices()).rejects.toMatchObject({ code: 'NEST_START_AFTER_STOP' });
    await app.close();
  });

  it('tell the present status to whoever subscribes late, and end disconnected', async () => {
    const { module, jobs } = await rig();
    await module.init();
    jobs.made[0]!.moveTo('RUNNING');
    const seen: string[] = [];
    module.get(StreamTransport).status.subscribe((status) => seen.push(status));
    await module.get(StreamTransport).close();
    expect(seen).toEqual(['connected', 'disconnected']);
    await module.close();
  });

  it('survive a listener that throws, which is logged', async () => {
    const { module, jobs, lines } = await rig();
    const statuses: JobStatus[] = [];
    const transport = module.get(StreamTransport);
    transport.on('jobStatus', () => {
      throw new Error('mine');
    });
    transport.on('jobStatus', (event) => void statuses.push(event.to));
    await module.init();
    jobs.made[0]!.moveTo('RUNNING');
    expect(statuses).toEqual(['INITIALIZING', 'RUNNING']);
    expect(lines).toContain('error A listener of StreamTransport threw on "jobStatus": Error: mine');
    await module.close();
  });
});

describe('the status of all jobs together', () => {
  it.each<[JobStatus[], string]>([
    [[], 'disconnected'],
    [['CREATED', 'CREATED'], 'disconnected'],
    [['CREATED', 'INITIALIZING'], 'connecting'],
    [['RUNNING', 'INITIALIZING'], 'connecting'],
    [['RUNNING', 'RUNNING'], 'connected'],
    [['RUNNING', 'RESTARTING'], 'restarting'],
    [['RESTARTING', 'FAILING'], 'failed'],
    [['RUNNING', 'FAILED'], 'failed'],
    [['CANCELED', 'CANCELED'], 'disconnected'],
    [['RUNNING', 'CANCELED'], 'connecting'],
  ])('of %p is %s', (statuses, expected) => {
    expect(transportStatus(statuses.map((status) => ({ status })))).toBe(expected);
  });
});
