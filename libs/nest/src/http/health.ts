import type { Job, JobOverview, TaskOverview } from '@weir/core';
import { oneLine } from '../error-text.js';
import { taskName } from '../telemetry/task-name.js';

/** Health as it goes over the wire; `ok` decides between 200 and 503. */
export interface Health {
  readonly ok: boolean;
  readonly body: {
    readonly status: 'up' | 'down' | 'ready' | 'not ready';
    /** Why it is not as it should be. */
    readonly reason?: string;
    readonly jobs: readonly JobHealth[];
  };
}

export interface JobHealth {
  readonly name: string;
  readonly status: JobOverview['status'];
  readonly reason?: string;
  /** What readiness still waits for. */
  readonly missing?: readonly string[];
}

type Rewrite = (reason: string) => string;
type Subject = Pick<Job, 'overview' | 'isReady'>;

/** Whether the process should go on living: as long as no job has FAILED. A waiting or restarting job heals by itself. */
export function liveness(jobs: readonly Subject[], rewrite: Rewrite): Health {
  const overviews = jobs.map((job) => job.overview());
  const failed = overviews.filter((job) => job.status === 'FAILED');
  const shown = overviews.map((job) => jobHealth(job, rewrite));
  if (failed.length === 0) return { ok: true, body: { status: 'up', jobs: shown } };
  const reason = failed.map((job) => `job ${job.name} has FAILED: ${rewrite(whyNot(job))}`).join('; ');
  return { ok: false, body: { status: 'down', reason, jobs: shown } };
}

/** Whether every job is restored and running. */
export function readiness(jobs: readonly Subject[], rewrite: Rewrite): Health {
  const shown: JobHealth[] = [];
  const waiting: string[] = [];
  for (const job of jobs) {
    const overview = job.overview();
    if (job.isReady()) {
      shown.push(jobHealth(overview, rewrite));
      continue;
    }
    const missing = missingOf(overview, rewrite);
    shown.push({ ...jobHealth(overview, rewrite), missing });
    waiting.push(`job ${overview.name}: ${missing.join(', ')}`);
  }
  if (waiting.length === 0) return { ok: true, body: { status: 'ready', jobs: shown } };
  return { ok: false, body: { status: 'not ready', reason: waiting.join('; '), jobs: shown } };
}

/**
 * A reason without its text, for whoever may not read jobs: a message can hold bytes of a record. Codes of errors stay, for they say
 * which page of the run-book to open.
 */
export function codesOnly(reason: string): string {
  const codes = [...reason.matchAll(/\[([A-Z][A-Z0-9_]+)\]/g)].map((match) => match[1]);
  const shown = codes.length === 0 ? 'the reason' : `${[...new Set(codes)].join(', ')}; the whole reason`;
  return `${shown} is shown on loopback, or to bearers of the token`;
}

function jobHealth(job: JobOverview, rewrite: Rewrite): JobHealth {
  const { name, status } = job;
  const reason = job.reason ?? (status === 'FAILED' ? job.failures[0]?.message : undefined);
  return reason === undefined ? { name, status } : { name, status, reason: rewrite(oneLine(reason)) };
}

const whyNot = (job: JobOverview): string => oneLine(job.reason ?? job.failures[0]?.message ?? 'no reason was recorded');

function missingOf(job: JobOverview, rewrite: Rewrite): string[] {
  const tasks = job.tasks.filter((task) => task.status !== 'RUNNING').map(missingTask);
  const status = job.reason === undefined ? `status ${job.status}` : `status ${job.status} (${rewrite(oneLine(job.reason))})`;
  return job.status === 'RUNNING' && tasks.length > 0 ? tasks : [status, ...tasks];
}

function missingTask(task: TaskOverview): string {
  const { restore } = task;
  const progress =
    task.status === 'INITIALIZING' && restore !== undefined
      ? `, ${restore.remaining} records left to restore, about ${Math.ceil(restore.etaMs / 1000)} s`
      : '';
  return `task ${taskName(task)} is ${task.status}${progress}`;
}
