import { beforeEach, describe, expect, it } from '@jest/globals';
import { checkpointId, offset, taskIndex } from '@weir/core';
import { RecordedLines, SteppedClock } from '../fake-jobs.spec-d.js';
import { LoggerTelemetry } from './logger-telemetry.js';

const task = { job: 'alerts', subTopology: 0, task: taskIndex(3) };
const progress = (remaining: number) => ({
  type: 'restore-progress' as const,
  ...task,
  remaining,
  records: 100 - remaining,
  elapsedMs: 500,
  rate: 200,
  etaMs: remaining * 5,
});

describe('telemetry as lines of a log', () => {
  let recorded: RecordedLines;
  let clock: SteppedClock;
  let telemetry: LoggerTelemetry;

  beforeEach(() => {
    recorded = new RecordedLines();
    clock = new SteppedClock();
    telemetry = new LoggerTelemetry(recorded, clock);
  });

  it('says each change of a job with its reason, restarts as warnings', () => {
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'INITIALIZING', to: 'RUNNING' });
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'RUNNING', to: 'RESTARTING', reason: 'task 0-3\nfell' });
    expect(recorded.lines).toEqual(['log alerts: INITIALIZING -> RUNNING', 'warn alerts: RUNNING -> RESTARTING: task 0-3\\nfell']);
  });

  it('leaves it to the runner, who knows the causes, to say why a job failed', () => {
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'RUNNING', to: 'FAILING', reason: 'enough' });
    telemetry.emit({ type: 'job-status', job: 'alerts', from: 'FAILING', to: 'FAILED', reason: 'enough' });
    expect(recorded.lines).toEqual(['warn alerts: RUNNING -> FAILING']);
  });

  it('says once what a job waits for, and again only after another reason or status', () => {
    const waiting = { type: 'job-waiting' as const, job: 'alerts', reason: 'waiting for topic sensor-readings' };
    telemetry.emit(waiting);
    telemetry.emit(waiting);
    telemetry.emit({ ...waiting, reason: 'waiting for the log' });
    telemetry.emit(waiting);
    expect(recorded.lines).toEqual([
      'warn alerts: waiting for topic sensor-readings',
      'warn alerts: waiting for the log',
      'warn alerts: waiting for topic sensor-readings',
    ]);
  });

  it('logs no line for commits and completed checkpoints', () => {
    telemetry.emit({
      type: 'task-commit',
      ...task,
      checkpoint: checkpointId(1),
      recordsIn: 1,
      recordsOut: 1,
      stateChanges: 1,
      bytes: 9,
      durationMs: 2,
    });
    telemetry.emit({ type: 'checkpoint-completed', job: 'alerts', checkpoint: checkpointId(1), durationMs: 3 });
    expect(recorded.lines).toEqual([]);
  });

  it('says the progress of a restore at most every two seconds, and always its end at 0', () => {
    telemetry.emit(progress(90));
    clock.advance(1999);
    telemetry.emit(progress(60));
    clock.advance(1);
    telemetry.emit(progress(50));
    telemetry.emit(progress(0));
    telemetry.emit(progress(0));
    expect(recorded.lines).toEqual([
      'log alerts task 0-3: restoring: 10 records at 200/s, 90 remaining, about 0.5 s left',
      'log alerts task 0-3: restoring: 50 records at 200/s, 50 remaining, about 0.3 s left',
      'log alerts task 0-3: restored 100 records in 0.5 s, 0 remaining',
    ]);
  });

  it('says the end of the next restore of a task, too', () => {
    telemetry.emit(progress(0));
    telemetry.emit({ type: 'task-status', ...task, from: 'CREATED', to: 'INITIALIZING' });
    telemetry.emit(progress(0));
    expect(recorded.lines.filter((line) => line.includes('restored'))).toHaveLength(2);
  });

  it('says why a task failed, with the causes, and when it restarts', () => {
    const error = new Error('append failed', { cause: new Error('connection reset') });
    telemetry.emit({ type: 'task-failed', ...task, error, restartInMs: 1000.4 });
    telemetry.emit({ type: 'task-failed', ...task, error, restartInMs: undefined });
    expect(recorded.lines).toEqual([
      'warn alerts task 0-3: failed, restarts in 1000 ms: Error: append failed Caused by: Error: connection reset',
      'warn alerts task 0-3: failed, not restarted: Error: append failed Caused by: Error: connection reset',
    ]);
  });

  it('warns about a checkpoint that timed out, and not about one that was cut off', () => {
    const failed = { type: 'checkpoint-failed' as const, job: 'alerts', checkpoint: checkpointId(9), durationMs: 600_000.4 };
    telemetry.emit({ ...failed, outcome: 'timed-out' });
    telemetry.emit({ ...failed, outcome: 'abandoned' });
    expect(recorded.lines).toEqual(['warn alerts: checkpoint 9 timed out after 600000 ms', 'debug alerts: checkpoint 9 abandoned']);
  });

  it('lets no bytes of a record break out of their line or drive a terminal', () => {
    telemetry.emit({ type: 'job-notice', job: 'alerts', message: 'bytes \u001b[2J\r\n and \u2028 more' });
    expect(recorded.lines).toEqual(['log alerts: bytes \\x1b[2J\\x0d\\n and \\x2028 more']);
  });

  it('says in one line a commit how many records were bad, and what was wrong with the last', () => {
    const operators = [
      { operator: 'readings', skipped: 0, deadLettered: 2, lastError: '2 fields\nof 3' },
      { operator: 'jump', skipped: 1, deadLettered: 0, lastError: 'no id' },
    ];
    telemetry.emit({ type: 'bad-records', ...task, operators });
    expect(recorded.lines).toEqual(['warn alerts task 0-3: readings dead-lettered 2 bad records, the last: 2 fields\\nof 3; jump skipped 1 bad records, the last: no id']);
  });

  it('says when a copy has caught up, is taken over, or failed; its other moves are for those who debug', () => {
    const standby = { type: 'standby-status' as const, ...task, records: 120, lag: 3 };
    telemetry.emit({ ...standby, from: 'OPENING', to: 'CATCHING_UP' });
    telemetry.emit({ ...standby, from: 'CATCHING_UP', to: 'FOLLOWING' });
    telemetry.emit({ ...standby, from: 'FOLLOWING', to: 'PROMOTED' });
    telemetry.emit({ type: 'standby-failed', ...task, error: new Error('disk full'), retryInMs: 2_000 });
    expect(recorded.lines).toEqual([
      'debug alerts task 0-3: copy OPENING -> CATCHING_UP',
      'log alerts task 0-3: a copy of its state is kept here, and has caught up: read 120 records',
      'log alerts task 0-3: takes over the copy of its state that was kept here; it lacks 3 offsets of the changelog',
      'warn alerts task 0-3: the copy of its state here failed, begins anew in 2000 ms: Error: disk full',
    ]);
  });

  it('covers the remaining events: failed purges, rebuilt stores, task status; metrics are no lines', () => {
    telemetry.emit({ type: 'purge-failed', ...task, error: new Error('not authorized') });
    telemetry.emit({ type: 'store-rebuild', ...task, reason: 'older than delete.retention.ms' });
    const reset = { type: 'input-reset', ...task, source: 'readings', topic: 'in', partition: 3, from: offset(10), policy: 'earliest' } as const;
    telemetry.emit({ ...reset, to: offset(200) });
    telemetry.emit({ ...reset, to: offset(5) });
    telemetry.emit({ type: 'task-status', ...task, from: 'INITIALIZING', to: 'RUNNING' });
    telemetry.emit({ type: 'operator-metrics', ...task, operator: 'jump', metrics: [{ kind: 'counter', name: 'late', added: 1 }] });
    expect(recorded.lines).toEqual([
      'warn alerts task 0-3: could not delete what it has read of repartition topics, tries again later: Error: not authorized',
      "warn alerts task 0-3: rebuilds its local state from the changelog's start: older than delete.retention.ms",
      'warn alerts task 0-3: SKIPPED OFFSETS 10 to 199 of in partition 3, up to 190 records: they are no longer in the log, goes on at 200, ' +
        'as source readings says (onOffsetOutOfRange: earliest)',
      'warn alerts task 0-3: LOST OFFSETS: the log of in partition 3 ends at 5, below offset 10 that was to be read: goes on there, ' +
        'as source readings says (onOffsetOutOfRange: earliest)',
      'debug alerts task 0-3: INITIALIZING -> RUNNING',
    ]);
  });
});
