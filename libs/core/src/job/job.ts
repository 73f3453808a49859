import type { Clock } from '../ports/clock.js';
import type { LogFactory } from '../ports/log.js';
import type { StateBackendFactory } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { JobDefinition } from './job-definition.js';
import type { JobOverview } from './job-overview.js';
import type { JobSettings } from './settings.js';

/** What a job runs on. */
export interface JobPorts {
  readonly log: LogFactory;
  readonly state: StateBackendFactory;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Where other replicas, and people, reach this process by HTTP: as known when it is asked, undefined where it serves none. */
  readonly url?: (() => string | undefined) | undefined;
}

/** How a job ended. */
export type JobOutcome = { readonly status: 'CANCELED' } | { readonly status: 'FAILED'; readonly error: Error };

/** A job in this process: made by `createJob`, started once, stopped once. */
export interface Job {
  readonly name: string;
  overview(): JobOverview;
  /** True once every task is RUNNING: restored, assigned, reading. */
  isReady(): boolean;
  /** Begins to run. Returns at once: topics are waited for and failures handled in the background; see `overview` and `ended`. */
  start(): void;
  /**
   * Takes a final checkpoint and closes everything. What is not committed by `deadlineMs` milliseconds from now is dropped, to be
   * replayed at the next start. Idempotent. Resolves when the job has ended, however.
   */
  stop(deadlineMs: number): Promise<JobOutcome>;
  /**
   * Cancels the job, on every replica and for good: its tasks end without a last commit, and run again only after `resume`, whatever is
   * started meanwhile. Replicas stay, and say CANCELED. Resolves once that is recorded.
   * @throws WeirError `retry` JOB_NOT_REACHED while the job has not read its control topic; `restart-task` CONTROL_CLOSED if this process
   *   ends before: it may be cancelled all the same
   */
  cancel(): Promise<void>;
  /** Starts a cancelled job again, from its last commits. Resolves once that is recorded. @throws as `cancel` does */
  resume(): Promise<void>;
  /** Resolves when the job has ended in this process; never rejects. */
  readonly ended: Promise<JobOutcome>;
}

/**
 * Compiles the definition and the settings.
 * @throws WeirError `invalid` for a setting or a topology that cannot work, before anything is opened
 */
export type CreateJob = (name: string, definition: JobDefinition, settings: JobSettings, ports: JobPorts) => Job;
