import { Inject, Injectable } from '@nestjs/common';
import { isTerminal } from '@weir/core';
import type { Job, JobOverview } from '@weir/core';
import { ReplaySubject } from 'rxjs';
import type { Observable } from 'rxjs';
import { causeChain } from './error-text.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { STREAM_TRANSPORT } from './handlers/stream-handler.decorator.js';
import { JobStatusFeed } from './job-status-feed.js';
import type { JobStatusEvent } from './job-status-feed.js';
import type { LogLines } from './log-lines.js';
import { StreamRunner } from './stream-runner.js';
import { STREAM_LOGGER } from './tokens.js';

/**
 * The jobs as a custom transport strategy of @nestjs/microservices, so that a service starts them as it starts consumers:
 *
 *   app.connectMicroservice({ strategy: app.get(StreamTransport) });
 *   await app.startAllMicroservices();
 *
 * It is a face of the runner and has no state of jobs itself. It has the shape of a strategy without importing the package, which an
 * application without microservices need not install. Handlers that carry @EventPattern and @StreamHandler run in a job of their own,
 * which calls them itself (handlers/handler-job.ts); what Nest passes to `addHandler` is wrapped in promises, and is not called.
 *
 * Status, of all jobs together; the first line that fits:
 *
 * | status       | when                                                       |
 * | ------------ | ---------------------------------------------------------- |
 * | failed       | a job is FAILING or FAILED                                 |
 * | disconnected | no job was started yet, or all have ended                  |
 * | restarting   | a job is RESTARTING                                        |
 * | connected    | every job is RUNNING                                       |
 * | connecting   | otherwise: some still wait for topics, or restore          |
 */
export type StreamTransportStatus = 'connecting' | 'connected' | 'restarting' | 'disconnected' | 'failed';

export type StreamTransportEvents = {
  readonly [S in StreamTransportStatus]: () => void;
} & {
  /** Each change of each job. */
  readonly jobStatus: (event: JobStatusEvent) => void;
};

@Injectable()
export class StreamTransport {
  /** Handlers with a transport of their own are not even offered to this one. */
  readonly transportId = STREAM_TRANSPORT;
  readonly #runner: StreamRunner;
  readonly #lines: LogLines;
  readonly #handlers: HandlerExplorer;
  readonly #status = new ReplaySubject<StreamTransportStatus>(1);
  readonly #listeners: { readonly event: string; readonly callback: (event: JobStatusEvent) => void }[] = [];
  #last: StreamTransportStatus | undefined;

  constructor(runner: StreamRunner, feed: JobStatusFeed, handlers: HandlerExplorer, @Inject(STREAM_LOGGER) lines: LogLines) {
    this.#runner = runner;
    this.#handlers = handlers;
    this.#lines = lines;
    feed.events.subscribe((event) => this.#changed(event));
  }

  /** Emits the present status to whoever subscribes, once there was one, then each change. */
  get status(): Observable<StreamTransportStatus> {
    return this.#status.asObservable();
  }

  /** Starts the jobs unless the module has; calls back once they are started, or with the error that keeps them from it. */
  async listen(callback: (error?: unknown) => unknown): Promise<void> {
    try {
      await this.#runner.start();
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /** Stops the jobs, each with a final checkpoint, within the module's bound. */
  async close(): Promise<void> {
    await this.#runner.stop();
  }

  on<E extends keyof StreamTransportEvents>(event: E, callback: StreamTransportEvents[E]): this {
    this.#listeners.push({ event, callback: callback });
    return this;
  }

  /** The jobs. */
  unwrap<T = readonly Job[]>(): T {
    return this.#runner.jobs as T;
  }

  /** Nest offers a handler. @throws WeirError `invalid` NEST_TRANSPORT_TOO_LATE if the jobs were made without it */
  addHandler(): void {
    this.#handlers.offered();
  }

  #changed(event: JobStatusEvent): void {
    this.#tell('jobStatus', event);
    const status = transportStatus(this.#runner.overviews());
    if (status === this.#last) return;
    this.#last = status;
    this.#status.next(status);
    this.#tell(status, event);
  }

  #tell(name: string, event: JobStatusEvent): void {
    for (const { event: wanted, callback } of this.#listeners) {
      if (wanted !== name) continue;
      try {
        callback(event);
      } catch (thrown) {
        // It runs amid a status change of the job, which is none of its concern.
        this.#lines.error(`A listener of StreamTransport threw on "${name}": ${causeChain(thrown)}`);
      }
    }
  }
}

export function transportStatus(jobs: readonly Pick<JobOverview, 'status'>[]): StreamTransportStatus {
  if (jobs.some((job) => job.status === 'FAILING' || job.status === 'FAILED')) return 'failed';
  if (jobs.every((job) => job.status === 'CREATED' || isTerminal(job.status))) return 'disconnected';
  if (jobs.some((job) => job.status === 'RESTARTING')) return 'restarting';
  return jobs.every((job) => job.status === 'RUNNING') ? 'connected' : 'connecting';
}
