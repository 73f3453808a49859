import { Injectable } from '@nestjs/common';
import type { JobStatus, Telemetry, TelemetryEvent } from '@weir/core';
import { Subject } from 'rxjs';
import type { Observable } from 'rxjs';

export type JobStatusEvent = Extract<TelemetryEvent, { type: 'job-status' }>;

/** Passes the status changes of jobs to those who follow them within the process: the transport strategy, and the job's page over HTTP. */
@Injectable()
export class JobStatusFeed implements Telemetry {
  readonly #events = new Subject<JobStatusEvent>();
  readonly #reached = new Map<string, Partial<Record<JobStatus, number>>>();
  #wall: () => number = () => 0;

  get events(): Observable<JobStatusEvent> {
    return this.#events.asObservable();
  }

  /** Wall-clock milliseconds at which the job last came into each status that it has been in. */
  reached(job: string): Readonly<Partial<Record<JobStatus, number>>> {
    return this.#reached.get(job) ?? {};
  }

  /** Told once, by the runner, from whose clock the times are. */
  timedBy(wall: () => number): void {
    this.#wall = wall;
  }

  emit(event: TelemetryEvent): void {
    if (event.type !== 'job-status') return;
    const reached = this.#reached.get(event.job) ?? {};
    reached[event.to] = this.#wall();
    this.#reached.set(event.job, reached);
    this.#events.next(event);
  }
}
