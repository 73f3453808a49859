import { isWeirError } from '../errors/weir-error.js';
import type { CompiledRestartStrategy } from '../job/compile-settings.js';

/**
 * Restart strategies, Flink's: whether and when a failed task starts again, decided from the times of its failures. Pure.
 * Source of the rules and defaults: Flink's restart-strategy.* options and its RestartBackoffTimeStrategies. Where those count the failures of a
 * job, these are the failures of one task in one process: a task is a region of its own here (docs/jobs/restarts.md).
 */
export type RestartDecision = { readonly type: 'restart'; readonly afterMs: number } | { readonly type: 'give-up' };

/** What a strategy remembers of one task. Times are monotonic milliseconds. */
export interface RestartHistory {
  readonly failures: readonly number[];
  /** Of exponential-delay: the failures since the backoff was last reset, and the present backoff. */
  readonly attempts: number;
  readonly backoffMs: number;
  /** When the last restart was to be: the jitter of its backoff included. */
  readonly restartAt: number;
}

export const NO_FAILURES: RestartHistory = { failures: [], attempts: 0, backoffMs: 0, restartAt: Number.NEGATIVE_INFINITY };

/** Failure times that are remembered at most: one more than failure-rate can allow, so that the one too many is seen. */
const MAX_REMEMBERED = 1_001;

/**
 * @param now monotonic milliseconds of this failure
 * @param random a number in [0, 1), for the jitter
 */
export function onFailure(
  strategy: CompiledRestartStrategy,
  history: RestartHistory,
  now: number,
  random: number,
): { readonly decision: RestartDecision; readonly history: RestartHistory } {
  const failures = [...history.failures, now].slice(-MAX_REMEMBERED);
  switch (strategy.type) {
    case 'none':
      return { decision: { type: 'give-up' }, history: { ...history, failures } };
    case 'fixed-delay': {
      const attempts = history.attempts + 1;
      return { decision: restartIf(attempts <= strategy.attempts, strategy.delay), history: { ...history, failures, attempts } };
    }
    case 'failure-rate': {
      const recent = failures.filter((at) => now - at <= strategy.failureRateInterval);
      return { decision: restartIf(recent.length <= strategy.maxFailuresPerInterval, strategy.delay), history: { ...history, failures: recent } };
    }
    case 'exponential-delay':
      return exponentialDelay(strategy, { ...history, failures }, now, random);
  }
}

function exponentialDelay(
  strategy: Extract<CompiledRestartStrategy, { type: 'exponential-delay' }>,
  history: RestartHistory,
  now: number,
  random: number,
): { readonly decision: RestartDecision; readonly history: RestartHistory } {
  const quiet = now - history.restartAt >= strategy.resetBackoffThreshold;
  const attempts = quiet ? 1 : history.attempts + 1;
  const backoffMs = quiet ? strategy.initialBackoff : Math.min(history.backoffMs * strategy.backoffMultiplier, strategy.maxBackoff);
  const jitter = backoffMs * strategy.jitterFactor * (random * 2 - 1);
  const afterMs = Math.min(Math.max(Math.round(backoffMs + jitter), 0), strategy.maxBackoff);
  return { decision: restartIf(attempts <= strategy.attemptsBeforeResetBackoff, afterMs), history: { ...history, attempts, backoffMs, restartAt: now + afterMs } };
}

const restartIf = (allowed: boolean, afterMs: number): RestartDecision => (allowed ? { type: 'restart', afterMs } : { type: 'give-up' });

/** The strategy in words, for messages. */
export function describeStrategy(strategy: CompiledRestartStrategy): string {
  switch (strategy.type) {
    case 'none':
      return 'none';
    case 'fixed-delay':
      return `fixed-delay (${strategy.attempts} attempts, ${strategy.delay} ms)`;
    case 'failure-rate':
      return `failure-rate (${strategy.maxFailuresPerInterval} failures in ${strategy.failureRateInterval} ms)`;
    case 'exponential-delay':
      return `exponential-delay (${strategy.initialBackoff} to ${strategy.maxBackoff} ms)`;
  }
}

/** Whether a task that ended so may be started again; everything else fails the job at once. */
export const isRestartable = (error: Error): boolean =>
  !isWeirError(error) || error.kind === 'retry' || error.kind === 'restart-task' || error.kind === 'rebuild-state' || error.kind === 'fenced';
