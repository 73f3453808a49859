import { silentTelemetry } from '@weir/core';
import type {
  Cancel,
  Clock,
  CreateJob,
  Job,
  JobDefinition,
  JobOutcome,
  JobOverview,
  JobPorts,
  JobSettings,
  JobStatus,
  RoundOverview,
  TaskOverview,
  TaskPlacement,
} from '@weir/core';
import type { LogLines } from './log-lines.js';
import type { StreamModuleOptions } from './options.js';
import type { ProcessHost } from './process-host.js';

/** Jobs whose fate a spec decides, in place of core's. */
export class FakeJob implements Job {
  readonly calls: string[] = [];
  readonly ended: Promise<JobOutcome>;
  status: JobStatus = 'CREATED';
  reason: string | undefined;
  tasks: TaskOverview[] = [];
  /** Of other replicas. */
  elsewhere: TaskPlacement[] = [];
  history: readonly RoundOverview[] = [];
  /** Whether `stop` ends the job by itself. */
  stopsAtOnce = true;
  standbys: JobOverview['standbys'] = [];
  stopDeadline: number | undefined;
  #end!: (outcome: JobOutcome) => void;

  constructor(
    readonly name: string,
    readonly definition: JobDefinition,
    readonly settings: JobSettings,
    readonly ports: JobPorts,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  overview(): JobOverview {
    const { name, status, reason, tasks } = this;
    const { applicationId } = this.settings;
    const checkpoints = { completed: 7, failed: 1, latest: { id: 7, completedAt: 5000, durationMs: 12, bytes: 345 }, history: this.history };
    const id = Buffer.from(name.padEnd(16).slice(0, 16)).toString('hex');
    return {
      id,
      name,
      applicationId,
      status,
      reason,
      startedAt: 1000,
      statusSince: 2000,
      parallelism: 2,
      maxParallelism: 128,
      tasks,
      placements: [...tasks.map(({ subTopology, task: index, status: of }) => ({ subTopology, task: index, status: of, replica: 'this', url: undefined, isHere: true })), ...this.elsewhere],
      replicas: [],
      standbys: this.standbys,
      checkpoints,
      failures: [],
    };
  }

  isReady(): boolean {
    return this.status === 'RUNNING' && this.tasks.every((task) => task.status === 'RUNNING');
  }

  start(): void {
    this.calls.push('start');
    this.moveTo('INITIALIZING');
  }

  async cancel(): Promise<void> {
    this.calls.push('cancel');
  }

  async resume(): Promise<void> {
    this.calls.push('resume');
  }

  async stop(deadlineMs: number): Promise<JobOutcome> {
    this.calls.push('stop');
    this.stopDeadline = deadlineMs;
    if (this.stopsAtOnce) this.end({ status: 'CANCELED' });
    return this.ended;
  }

  moveTo(to: JobStatus, reason?: string): void {
    const from = this.status;
    this.status = to;
    this.reason = reason;
    this.ports.telemetry.emit({ type: 'job-status', job: this.name, from, to, ...(reason === undefined ? {} : { reason }) });
  }

  end(outcome: JobOutcome): void {
    if (this.status === 'FAILED' || this.status === 'CANCELED') return;
    this.moveTo(outcome.status, outcome.status === 'FAILED' ? outcome.error.message : undefined);
    this.#end(outcome);
  }
}

/** Calls `define` with streams that take anything, as core does when it makes a job. */
export class FakeJobs {
  readonly made: FakeJob[] = [];
  readonly create: CreateJob = (name, definition, settings, ports) => {
    definition.define(this.streams as unknown as Parameters<JobDefinition['define']>[0]);
    const job = new FakeJob(name, definition, settings, ports);
    this.made.push(job);
    return job;
  };
  /** What jobs handed to their streams: factories, mostly. */
  readonly factories: (() => unknown)[] = [];
  readonly streams = { use: (factory: () => unknown): void => void this.factories.push(factory) };
}

export type FakeStreams = FakeJobs['streams'];

export class FakeHost implements ProcessHost {
  readonly calls: string[] = [];
  failWith(code: number): void {
    this.calls.push(`failWith ${code}`);
  }
  exit(code: number): void {
    this.calls.push(`exit ${code}`);
  }
  exitAfterShutdown(signal: string): void {
    this.calls.push(`exitAfterShutdown ${signal}`);
  }
}

export class RecordedLines implements LogLines {
  readonly lines: string[] = [];
  log = (message: string): void => void this.lines.push(`log ${message}`);
  warn = (message: string): void => void this.lines.push(`warn ${message}`);
  error = (message: string): void => void this.lines.push(`error ${message}`);
  debug = (message: string): void => void this.lines.push(`debug ${message}`);
}

/** A clock that moves when told to. */
export class SteppedClock implements Clock {
  now = 10_000;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();
  readonly wall = (): number => this.now;
  readonly monotonic = (): number => this.now;
  readonly random = (): number => 0.5;
  readonly newId = (): string => '0'.repeat(32);
  readonly after = (ms: number, run: () => void): Cancel => {
    const timer = { at: this.now + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  get pending(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    this.now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.now) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

const notOpened = (): Promise<never> => Promise.reject(new Error('the adapter opens no port by itself'));

/** Options that a module accepts. */
export const options = (more: Partial<StreamModuleOptions> = {}): StreamModuleOptions => ({
  applicationId: 'app',
  log: { open: notOpened },
  state: { kind: 'memory', open: notOpened },
  ...more,
});

export const ports = (clock: Clock): JobPorts => ({
  log: { open: notOpened },
  state: { kind: 'memory', open: notOpened },
  clock,
  telemetry: silentTelemetry,
});

export const task = (index: number, more: Partial<TaskOverview> = {}): TaskOverview => ({
  subTopology: 0,
  task: index,
  status: 'RUNNING',
  statusSince: 1500,
  attempt: 0,
  recordsIn: 10,
  recordsOut: 4,
  lag: 3,
  restore: undefined,
  ...more,
});
