import { clockOf, createJob, type Job, type LogFactory, type Telemetry } from '@weir/core';
import { kafka } from '@weir/kafka';
import { backendOf } from './backend-of.js';
import { profilerOf } from './cpu-profiler.js';
import { meteredLog } from './metered-log.js';
import { RunMeter, type RunResult } from './run-meter.js';
import type { RunSpec } from './run-spec.js';
import { temperatureJob } from './temperature-job.js';

/** Milliseconds that a job has to end. */
const STOP_MS = 30_000;

/** The main job through the API that users have. */
export async function runWeir(spec: RunSpec): Promise<RunResult> {
  const clock = clockOf(globalThis);
  const meter = new RunMeter(spec.records, clock, profilerOf(spec));
  const telemetry: Telemetry = {
    emit: (event) => {
      if (event.type === 'task-commit') meter.onCommit(event.recordsIn);
      else if (event.type === 'task-failed') console.error(`task ${event.task} failed:`, event.error);
    },
  };
  const job = await makeJob(spec, meteredLog(kafka({ brokers: spec.brokers }), spec.input, meter), telemetry);
  job.start();
  const first = await Promise.race([meter.done, job.ended]);
  await job.stop(STOP_MS);
  if ('elapsedMs' in first) return first;
  throw first.status === 'FAILED' ? first.error : new Error('The job ended before it had read its input.');
}

/** Idle milliseconds before the cost of idling is measured: buffers filled, code warm, memory collected. */
const SETTLE_MS = 3_000;

export interface IdleResult {
  readonly cpuMsPerSecond: number;
  readonly commitsPerSecond: number;
}

/** The job with nothing, or next to nothing, to do: what its tasks cost by being there. */
export async function runWeirIdle(spec: RunSpec, seconds: number): Promise<IdleResult> {
  const clock = clockOf(globalThis);
  let commits = 0;
  const telemetry: Telemetry = {
    emit: (event) => {
      if (event.type === 'task-commit') commits++;
    },
  };
  const job = await makeJob(spec, kafka({ brokers: spec.brokers }), telemetry);
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
  job.start();
  while (!job.isReady()) await pause(50);
  await pause(SETTLE_MS);
  const before = { commits, cpu: process.cpuUsage(), at: clock.monotonic() };
  await pause(seconds * 1_000);
  const { user, system } = process.cpuUsage(before.cpu);
  const elapsedSeconds = (clock.monotonic() - before.at) / 1_000;
  const made = commits - before.commits;
  await job.stop(STOP_MS);
  return { cpuMsPerSecond: (user + system) / 1_000 / elapsedSeconds, commitsPerSecond: made / elapsedSeconds };
}

async function makeJob(spec: RunSpec, log: LogFactory, telemetry: Telemetry): Promise<Job> {
  const { applicationId, parallelism, intervalMs, cacheEntries } = spec;
  const settings = { applicationId, group: 'none', parallelism, checkpointing: { interval: intervalMs }, state: { cacheEntries } } as const;
  const definition = await temperatureJob(spec.input, spec.output);
  return createJob('temperature-alerts', definition, settings, { log, state: backendOf(spec), clock: clockOf(globalThis), telemetry });
}
