import { metrics } from '@opentelemetry/api';
import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { Clock, JobOverview, JobStatus } from '@weir/core';
import { INSTRUMENTATION } from './open-telemetry.js';
import { taskAttributes } from './task-name.js';

type Value = number | undefined;

/** Gauges of a job, by Flink's names. Undefined values are not observed. */
const OF_JOB: Readonly<Record<string, (job: JobOverview, now: number) => Value>> = {
  runningTime: (job, now) => timeIn('RUNNING', job, now),
  restartingTime: (job, now) => timeIn('RESTARTING', job, now),
  initializingTime: (job, now) => timeIn('INITIALIZING', job, now),
  failingTime: (job, now) => timeIn('FAILING', job, now),
  cancellingTime: (job, now) => timeIn('CANCELLING', job, now),
  totalNumberOfCheckpoints: (job) => job.checkpoints.completed + job.checkpoints.failed,
  lastCompletedCheckpointId: (job) => job.checkpoints.latest?.id,
  lastCheckpointCompletedTimestamp: (job) => job.checkpoints.latest?.completedAt,
  lastCheckpointDuration: (job) => job.checkpoints.latest?.durationMs,
  lastCheckpointSize: (job) => job.checkpoints.latest?.bytes,
};

/** Gauges of a task. `restoreRemaining` and `restoreEta` have no counterpart in Flink; both reach 0. */
const OF_TASK: Readonly<Record<string, (task: JobOverview['tasks'][number]) => Value>> = {
  pendingRecords: (task) => task.lag,
  attempt: (task) => task.attempt,
  restoreRemaining: (task) => task.restore?.remaining,
  restoreEta: (task) => task.restore?.etaMs,
};

/** Gauges of a copy that this process keeps of another's task: what it lacks, and up to where it holds everything. */
const OF_STANDBY: Readonly<Record<string, (standby: JobOverview['standbys'][number]) => Value>> = {
  lag: (standby) => standby.lag,
  position: (standby) => standby.position,
};

/**
 * Observes overviews whenever OpenTelemetry collects; without an SDK that is never.
 * @returns what ends it
 */
export function observeJobs(
  overviews: () => readonly JobOverview[],
  clock: Clock,
  meter: Meter = metrics.getMeter(INSTRUMENTATION),
): () => void {
  const running = meter.createObservableGauge('weir.numRunningJobs');
  const ofJob = new Map(Object.keys(OF_JOB).map((name) => [name, meter.createObservableGauge(`weir.job.${name}`)]));
  const ofTask = new Map(Object.keys(OF_TASK).map((name) => [name, meter.createObservableGauge(`weir.task.${name}`)]));
  const ofStandby = new Map(Object.keys(OF_STANDBY).map((name) => [name, meter.createObservableGauge(`weir.standby.${name}`)]));

  const observe = (result: BatchObservableResult): void => {
    const now = clock.wall();
    const jobs = overviews();
    result.observe(running, jobs.filter((job) => job.status === 'RUNNING').length);
    for (const job of jobs) {
      const attributes: Attributes = { job_name: job.name, job_id: job.id };
      for (const [name, gauge] of ofJob) observeDefined(result, gauge, OF_JOB[name]!(job, now), attributes);
      for (const task of job.tasks) {
        const ids = taskAttributes({ job: job.name, subTopology: task.subTopology, task: task.task });
        for (const [name, gauge] of ofTask) observeDefined(result, gauge, OF_TASK[name]!(task), ids);
      }
      for (const standby of job.standbys) {
        const ids = taskAttributes({ job: job.name, subTopology: standby.subTopology, task: standby.task });
        for (const [name, gauge] of ofStandby) observeDefined(result, gauge, OF_STANDBY[name]!(standby), ids);
      }
    }
  };
  const observables = [running, ...ofJob.values(), ...ofTask.values(), ...ofStandby.values()];
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}

function observeDefined(result: BatchObservableResult, gauge: Observable, value: Value, attributes: Attributes): void {
  if (value !== undefined && Number.isFinite(value)) result.observe(gauge, value, attributes);
}

/** Flink's CURRENT_TIME: milliseconds since the job came into the status, 0 when it is in another. */
const timeIn = (status: JobStatus, job: JobOverview, now: number): number =>
  job.status === status ? Math.max(0, now - job.statusSince) : 0;
