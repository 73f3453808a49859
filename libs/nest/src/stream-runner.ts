import { Server as TlsServer } from 'node:tls';
import { Inject, Injectable, Optional } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { isWeirError } from '@weir/core';
import type { CreateJob, Job, JobOutcome, JobOverview, JobPorts, JobSettings, Telemetry } from '@weir/core';
import { jobSettings } from './compile-options.js';
import { causeChain } from './error-text.js';
import { nestErrors } from './errors.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { HandlerJob } from './handlers/handler-job.js';
import { listeningUrl, type ListeningServer } from './http/listening-url.js';
import { InjectionScope } from './inject.js';
import { JobExplorer } from './job-explorer.js';
import type { FoundJob } from './job-explorer.js';
import { JobStatusFeed } from './job-status-feed.js';
import type { LogLines } from './log-lines.js';
import type { CompiledStreamOptions } from './options.js';
import type { ProcessHost } from './process-host.js';
import { combineTelemetry } from './telemetry/combine-telemetry.js';
import { observeJobs } from './telemetry/job-gauges.js';
import { LoggerTelemetry } from './telemetry/logger-telemetry.js';
import { OpenTelemetry } from './telemetry/open-telemetry.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER, STREAM_OPTIONS } from './tokens.js';

/**
 * Runs the jobs of one application within Nest's lifecycle.
 *
 * Owns: which jobs there are, that each is started once and stopped once, the bound on their shutdown, and what a failed job means for
 * the process. Does not own: what a job does, restarts of tasks, and the statuses of jobs, which are core's.
 *
 *   IDLE -> PREPARING -> PREPARED -> STARTED -> STOPPING -> STOPPED
 *    |          |            |                     ^
 *    +----------+------------+---------------------+
 *
 * PREPARING: finds the jobs, makes them, lets Nest resolve what they inject; falls back to IDLE when that fails. PREPARED: made, not
 * started. Module and transport both ask for `start`; whoever asks second finds STARTED.
 *
 * Lifecycle: `onApplicationBootstrap` prepares, so that a wrong setting fails the application's start, and starts unless `autoStart` is
 * false. `beforeApplicationShutdown` stops, while HTTP still answers. `onApplicationShutdown` sees to the exit code.
 *
 * Invariants:
 * - N1. `start` is called on a job at most once, and never after `stop` began.
 * - N2. Shutdown ends within `shutdownTimeoutMs` and a grace of a second, whatever the jobs do.
 * - N3. A job that FAILED is logged exactly once, and the process cannot end with exit code 0 any more.
 */
type State =
  | { readonly is: 'IDLE' }
  | { readonly is: 'PREPARING'; readonly done: Promise<void> }
  | { readonly is: 'PREPARED' | 'STARTED' | 'STOPPED'; readonly jobs: readonly Job[] }
  | { readonly is: 'STOPPING'; readonly jobs: readonly Job[]; readonly done: Promise<void> };

const GRACE_MS = 1000;
const DEFAULT_EXIT_CODE = 1;
const NO_JOBS: readonly Job[] = [];

@Injectable()
export class StreamRunner implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #options: CompiledStreamOptions;
  readonly #createJob: CreateJob;
  readonly #host: ProcessHost;
  readonly #lines: LogLines;
  readonly #explorer: JobExplorer;
  readonly #handlers: HandlerExplorer;
  readonly #moduleRef: ModuleRef;
  readonly #ports: JobPorts;
  #state: State = { is: 'IDLE' };
  #unobserve: () => void = () => undefined;

  constructor(
    @Inject(STREAM_OPTIONS) options: CompiledStreamOptions,
    @Inject(CREATE_JOB) createJob: CreateJob,
    @Inject(PROCESS_HOST) host: ProcessHost,
    @Inject(STREAM_LOGGER) lines: LogLines,
    explorer: JobExplorer,
    handlers: HandlerExplorer,
    moduleRef: ModuleRef,
    feed: JobStatusFeed,
    @Optional() adapters?: HttpAdapterHost,
  ) {
    this.#options = options;
    this.#createJob = createJob;
    this.#host = host;
    this.#lines = lines;
    this.#explorer = explorer;
    this.#handlers = handlers;
    this.#moduleRef = moduleRef;
    const { log, state, clock, advertisedUrl } = options;
    feed.timedBy(() => clock.wall());
    const own = guarded(options.telemetry, lines);
    const telemetry = combineTelemetry(new LoggerTelemetry(lines, clock), new OpenTelemetry(clock), feed, own);
    const url = (): string | undefined => advertisedUrl ?? urlOf(adapters);
    this.#ports = Object.freeze({ log, state, clock, telemetry, url });
  }

  /** The jobs of the application; none before they were prepared. */
  get jobs(): readonly Job[] {
    return 'jobs' in this.#state ? this.#state.jobs : NO_JOBS;
  }

  overviews(): readonly JobOverview[] {
    return this.jobs.map((job) => job.overview());
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.#options.autoStart) await this.start();
    else await this.prepare();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  /** @param signal the signal that ends the application; undefined when it is closed by a call */
  onApplicationShutdown(signal?: string): void {
    if (signal !== undefined) this.#host.exitAfterShutdown(signal);
  }

  /**
   * Finds and makes the jobs. Idempotent.
   * @throws WeirError `invalid` for a decorator, a setting or a topology that cannot work
   */
  async prepare(): Promise<void> {
    // Begun in a later turn, for it sets the state itself, also where it has nothing to wait for.
    if (this.#state.is === 'IDLE') this.#state = { is: 'PREPARING', done: Promise.resolve().then(() => this.#prepare()) };
    if (this.#state.is === 'PREPARING') await this.#state.done;
  }

  /**
   * Starts the jobs. Idempotent; returns once they were started, not once they run.
   * @throws WeirError `invalid` as `prepare` does, and NEST_START_AFTER_STOP
   */
  async start(): Promise<void> {
    await this.prepare();
    const state = this.#state;
    if (state.is === 'STARTED') return;
    if (state.is !== 'PREPARED') throw nestErrors.startAfterStop({ state: state.is });
    this.#state = { is: 'STARTED', jobs: state.jobs }; // N1: before the first start, so that one that throws is not repeated
    for (const job of state.jobs) job.start();
  }

  /** Stops the jobs, each with a final checkpoint, within the bound (N2). Idempotent; never rejects. */
  async stop(): Promise<void> {
    if (this.#state.is === 'PREPARING') await this.#state.done.catch(() => undefined);
    const state = this.#state;
    if (state.is === 'STOPPED') return;
    if (state.is === 'STOPPING') return state.done;
    const jobs = this.jobs;
    const done = this.#stop(jobs).then(() => {
      this.#state = { is: 'STOPPED', jobs };
    });
    this.#state = { is: 'STOPPING', jobs, done };
    await done;
  }

  async #prepare(): Promise<void> {
    try {
      const found = this.#find();
      const settings = found.map((job) => jobSettings(this.#options.settings, job.options.settings ?? {}));
      mustHaveOwnApplicationIds(found, settings);
      const jobs: Job[] = [];
      const { state: whole } = this.#ports;
      const state = (found.length > 1 ? whole.sharedAmong?.(found.length) : undefined) ?? whole; // one budget for all jobs of the module
      const ports = Object.freeze({ ...this.#ports, state });
      for (const [i, job] of found.entries()) jobs.push(await this.#make(job, settings[i]!, ports));
      for (const job of jobs) void job.ended.then((outcome) => this.#ended(job, outcome));
      this.#unobserve = observeJobs(() => this.overviews(), this.#options.clock);
      this.#state = { is: 'PREPARED', jobs };
    } catch (cause) {
      this.#state = { is: 'IDLE' };
      throw cause;
    }
  }

  /** The jobs of the application, the one of its handlers last; says what does not run. */
  #find(): readonly FoundJob[] {
    const { handlers, warnings } = this.#handlers.explore();
    const { jobs, forgotten } = this.#explorer.explore(handlers.length > 0 ? [this.#handlersJob(new HandlerJob(handlers))] : []);
    if (jobs.length === 0) this.#lines.warn('No provider carries @StreamJob: there is no job to run');
    for (const name of forgotten) this.#lines.warn(`${name} carries @StreamJob, but no module provides it: it does not run`);
    for (const warning of warnings) this.#lines.warn(warning);
    return jobs;
  }

  #handlersJob(definition: HandlerJob): FoundJob {
    const { handlers: options } = this.#options;
    return { options, className: 'the handlers', definition, moduleRef: this.#moduleRef };
  }

  async #make(found: FoundJob, settings: JobSettings, ports: JobPorts): Promise<Job> {
    const scope = new InjectionScope(found.options.name, found.moduleRef);
    const job = this.#createJob(found.options.name, scope.around(found.definition), settings, ports);
    await scope.resolve();
    return job;
  }

  async #stop(jobs: readonly Job[]): Promise<void> {
    const { clock, shutdownTimeoutMs } = this.#options;
    const open = new Set(jobs.filter((job) => job.overview().status !== 'FAILED'));
    const stopped = [...open].map(async (job) => {
      try {
        await job.stop(shutdownTimeoutMs);
      } catch (thrown) {
        this.#lines.error(`${job.name}: could not be stopped in order: ${causeChain(thrown)}`);
      }
      open.delete(job);
    });
    await new Promise<void>((resolve) => {
      // N2: a job that breaks its promise must not keep the process from ending; what it had not committed is replayed.
      const cancel = clock.after(shutdownTimeoutMs + GRACE_MS, () => {
        const names = [...open].map((job) => job.name).join(', ');
        this.#lines.error(
          `${names}: not stopped after ${shutdownTimeoutMs + GRACE_MS} ms, left behind; uncommitted records are replayed at the next start`,
        );
        resolve();
      });
      void Promise.all(stopped).then(() => {
        cancel();
        resolve();
      });
    });
    this.#unobserve();
  }

  async #ended(job: Job, outcome: JobOutcome): Promise<void> {
    if (outcome.status !== 'FAILED') return;
    const { error } = outcome;
    const line = `${job.name}: FAILED: ${causeChain(error)}`; // N3
    // Where a mistake is the user's, the message says all; the stack would bury it.
    if (isWeirError(error) && error.kind !== 'internal') this.#lines.error(line);
    else this.#lines.error(line, error.stack);
    const { exitCodeOnFailure } = this.#options;
    this.#host.failWith(exitCodeOnFailure ?? DEFAULT_EXIT_CODE);
    // Where a shutdown is under way, whoever began it ends the process, once the hooks of others have run.
    if (exitCodeOnFailure === undefined || this.#state.is === 'STOPPING' || this.#state.is === 'STOPPED') return;
    await this.stop();
    this.#host.exit(exitCodeOnFailure);
  }
}

function urlOf(adapters: HttpAdapterHost | undefined): string | undefined {
  const server = adapters?.httpAdapter?.getHttpServer() as ListeningServer | undefined;
  return typeof server?.address === 'function' ? listeningUrl(server, server instanceof TlsServer) : undefined;
}

/** The user's own telemetry: that it throws is said once, instead of passing unseen. */
function guarded(telemetry: Telemetry, lines: LogLines): Telemetry {
  let said = false;
  return {
    emit: (event) => {
      try {
        telemetry.emit(event);
      } catch (thrown) {
        if (!said)
          lines.warn(
            `The option telemetry threw on the event ${event.type}, which it must not; later throws are not logged: ${causeChain(thrown)}`,
          );
        said = true;
      }
    },
  };
}

function mustHaveOwnApplicationIds(found: readonly FoundJob[], settings: readonly JobSettings[]): void {
  for (const { applicationId } of settings) {
    const jobs = found.filter((_, i) => settings[i]!.applicationId === applicationId).map((job) => job.options.name);
    if (jobs.length > 1) throw nestErrors.applicationIdTwice({ applicationId, jobs });
  }
}
