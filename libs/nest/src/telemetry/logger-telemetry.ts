import type { BadRecordCounts, Clock, Telemetry, TelemetryEvent } from '@weir/core';
import { causeChain, oneLine } from '../error-text.js';
import type { LogLines } from '../log-lines.js';
import { taskName } from './task-name.js';

type RestoreProgress = Extract<TelemetryEvent, { type: 'restore-progress' }>;

const RESTORE_LINE_EVERY_MS = 2000;

/**
 * Events as lines of Nest's logger, one line an event, job and task first.
 *
 * | level | events                                                                                        |
 * | ----- | --------------------------------------------------------------------------------------------- |
 * | log   | job status, notices, restore progress (every 2 s for each task, and always its end)             |
 * | log   | copies that have caught up, or are taken over by their task                                    |
 * | warn  | waiting (once for each reason), restarts, task failures, rebuilt stores, failed checkpoints and purges |
 * | warn  | copies that failed, and when they begin anew                                                   |
 * | warn  | bad records that a commit dropped or put away: their number for each operator, and the last error |
 * | debug | task status, other moves of copies                                                             |
 * | none  | commits and completed checkpoints, of which there are several a second: they are metrics and spans |
 *
 * That a job has FAILED is not logged here: the runner does, who has the error with its causes.
 */
export class LoggerTelemetry implements Telemetry {
  readonly #lines: LogLines;
  readonly #clock: Clock;
  /** The reason that a job was last seen waiting for. */
  readonly #waiting = new Map<string, string>();
  /** When a restore was last logged, by task. Entries go when the restore ends. */
  readonly #restoreLogged = new Map<string, number>();
  /** Tasks whose restore has ended: progress after the end is not news. */
  readonly #restored = new Set<string>();

  constructor(lines: LogLines, clock: Clock) {
    this.#lines = lines;
    this.#clock = clock;
  }

  emit(event: TelemetryEvent): void {
    switch (event.type) {
      case 'job-status':
        this.#waiting.delete(event.job);
        return this.#jobStatus(event);
      case 'job-waiting':
        if (this.#waiting.get(event.job) === event.reason) return;
        this.#waiting.set(event.job, event.reason);
        return this.#lines.warn(`${event.job}: ${oneLine(event.reason)}`);
      case 'job-notice':
        return this.#lines.log(`${event.job}: ${oneLine(event.message)}`);
      case 'task-status':
        if (event.to === 'INITIALIZING') this.#restored.delete(idOf(event));
        return this.#lines.debug(`${idOf(event)}: ${event.from} -> ${event.to}`);
      case 'task-failed': {
        const next = event.restartInMs === undefined ? 'not restarted' : `restarts in ${Math.round(event.restartInMs)} ms`;
        return this.#lines.warn(`${idOf(event)}: failed, ${next}: ${causeChain(event.error)}`);
      }
      case 'standby-status':
        return this.#standbyStatus(event);
      case 'standby-failed':
        return this.#lines.warn(`${idOf(event)}: the copy of its state here failed, begins anew in ${Math.round(event.retryInMs)} ms: ${causeChain(event.error)}`);
      case 'purge-failed':
        return this.#lines.warn(`${idOf(event)}: could not delete what it has read of repartition topics, tries again later: ${causeChain(event.error)}`);
      case 'bad-records':
        return this.#lines.warn(`${idOf(event)}: ${event.operators.map(badRecords).join('; ')}`);
      case 'store-rebuild':
        return this.#lines.warn(`${idOf(event)}: rebuilds its local state from the changelog's start: ${oneLine(event.reason)}`);
      case 'input-reset':
        return this.#lines.warn(`${idOf(event)}: ${inputReset(event)}`);
      case 'restore-progress':
        return this.#restoreProgress(event);
      case 'checkpoint-failed':
        // What a failed task or a shutdown cuts off is no failed checkpoint, and the cause has a line of its own.
        if (event.outcome === 'abandoned') return this.#lines.debug(`${event.job}: checkpoint ${event.checkpoint} abandoned`);
        return this.#lines.warn(`${event.job}: checkpoint ${event.checkpoint} timed out after ${Math.round(event.durationMs)} ms`);
      case 'operator-metrics':
      case 'task-commit':
      case 'checkpoint-completed':
        return;
    }
  }

  #jobStatus(event: Extract<TelemetryEvent, { type: 'job-status' }>): void {
    if (event.to === 'FAILED') return;
    // The runner's line says why the job fails, once and with the causes.
    const reason = event.reason === undefined || event.to === 'FAILING' ? '' : `: ${oneLine(event.reason)}`;
    const line = `${event.job}: ${event.from} -> ${event.to}${reason}`;
    if (event.to === 'RESTARTING' || event.to === 'FAILING') this.#lines.warn(line);
    else this.#lines.log(line);
  }

  #standbyStatus(event: Extract<TelemetryEvent, { type: 'standby-status' }>): void {
    const id = idOf(event);
    if (event.to === 'FOLLOWING') return this.#lines.log(`${id}: a copy of its state is kept here, and has caught up: read ${event.records} records`);
    if (event.to === 'PROMOTED') return this.#lines.log(`${id}: takes over the copy of its state that was kept here; it lacks ${event.lag} offsets of the changelog`);
    this.#lines.debug(`${id}: copy ${event.from} -> ${event.to}`);
  }

  #restoreProgress(event: RestoreProgress): void {
    const id = idOf(event);
    if (event.remaining === 0) {
      if (this.#restored.has(id)) return;
      this.#restored.add(id);
      this.#restoreLogged.delete(id);
      return this.#lines.log(`${id}: restored ${event.records} records in ${seconds(event.elapsedMs)}, 0 remaining`);
    }
    const now = this.#clock.monotonic();
    const last = this.#restoreLogged.get(id);
    if (last !== undefined && now - last < RESTORE_LINE_EVERY_MS) return;
    this.#restoreLogged.set(id, now);
    this.#lines.log(
      `${id}: restoring: ${event.records} records at ${Math.round(event.rate)}/s, ` +
        `${event.remaining} remaining, about ${seconds(event.etaMs)} left`,
    );
  }
}

const idOf = (event: { readonly job: string; readonly subTopology: number; readonly task: number }): string =>
  `${event.job} task ${taskName(event)}`;

function inputReset({ source, topic, partition, from, to, policy }: Extract<TelemetryEvent, { type: 'input-reset' }>): string {
  const by = `as source ${oneLine(source)} says (onOffsetOutOfRange: ${policy})`;
  if (to < from) return `LOST OFFSETS: the log of ${topic} partition ${partition} ends at ${to}, below offset ${from} that was to be read: goes on there, ${by}`;
  return `SKIPPED OFFSETS ${from} to ${to - 1} of ${topic} partition ${partition}, up to ${to - from} records: they are no longer in the log, goes on at ${to}, ${by}`;
}

function badRecords({ operator, skipped, deadLettered, lastError }: BadRecordCounts): string {
  const counts = [...(skipped > 0 ? [`skipped ${skipped}`] : []), ...(deadLettered > 0 ? [`dead-lettered ${deadLettered}`] : [])];
  return `${oneLine(operator)} ${counts.join(' and ')} bad records, the last: ${oneLine(lastError)}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
