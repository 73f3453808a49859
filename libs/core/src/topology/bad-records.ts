/**
 * What becomes of a record that an operator cannot process: its bytes cannot be decoded, a function throws, a result cannot be encoded.
 *
 * `fail` fails the task, which changes nothing: the job goes on at this record when it starts again. `skip` drops the record for this
 * operator and counts it. `deadLetter` writes it, as it came, to a topic, in the transaction of everything else.
 *
 * Each may be preceded by retries: a record at which a function throws is tried again before the policy has it (task/record-retries.ts).
 */
export type BadRecordPolicy = BadRecordAction | RetriedPolicy;
export type BadRecordAction = 'fail' | 'skip' | DeadLetterPolicy;

export interface DeadLetterPolicy {
  /** The topic that bad records go to; created if it is missing. */
  readonly deadLetter: string;
}

export interface RetriedPolicy {
  /** What becomes of a record that has failed once more than it may be tried again. */
  readonly policy: BadRecordAction;
  readonly retries: RetrySettings;
}

/** Times in milliseconds. */
export interface RetrySettings {
  /** How often a record is tried again, 1 to 1000. */
  readonly attempts: number;
  /** Before the first of them, 0 to 3600000. Default 1000. */
  readonly delay?: number | undefined;
  /** Of each further delay to the one before, 1 to 100. Default 2. */
  readonly multiplier?: number | undefined;
  /** No delay is longer, 0 to 3600000. Default 60000. */
  readonly maxDelay?: number | undefined;
}

/** What may be said of any operator. */
export interface OperatorOptions {
  /** Default: the setting `badRecords` of the job, which is `fail` by default. */
  readonly onBadRecord?: BadRecordPolicy;
}

export const BAD_RECORD_POLICIES =
  'fail, skip, { deadLetter: <name of a topic> }, { policy: <one of these>, retries: { attempts: 1 to 1000, delay, multiplier, maxDelay } }';

/** A policy, complete. */
export interface CompiledPolicy {
  readonly action: BadRecordAction;
  /** Undefined: none. */
  readonly retries: Required<{ readonly [K in keyof RetrySettings]: number }> | undefined;
}

export function compilePolicy(policy: BadRecordPolicy): CompiledPolicy {
  if (typeof policy !== 'object' || 'deadLetter' in policy) return { action: policy, retries: undefined };
  const { attempts, delay = 1_000, multiplier = 2, maxDelay = 60_000 } = policy.retries;
  return { action: policy.policy, retries: { attempts, delay, multiplier, maxDelay } };
}

const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
const HOUR = 3_600_000;

/** Whether it is a policy, whatever the types said. */
export function isBadRecordPolicy(given: unknown): given is BadRecordPolicy {
  if (isBadRecordAction(given)) return true;
  if (!hasOnly(given, ['policy', 'retries'])) return false;
  const { policy, retries } = given as Partial<RetriedPolicy>;
  return isBadRecordAction(policy) && isRetries(retries);
}

function isBadRecordAction(given: unknown): given is BadRecordAction {
  if (given === 'fail' || given === 'skip') return true;
  if (!hasOnly(given, ['deadLetter'])) return false;
  const { deadLetter } = given as Partial<DeadLetterPolicy>;
  return typeof deadLetter === 'string' && TOPIC_NAME.test(deadLetter);
}

function isRetries(given: unknown): boolean {
  if (!hasOnly(given, ['attempts', 'delay', 'multiplier', 'maxDelay'])) return false;
  const { attempts, delay = 0, multiplier = 1, maxDelay = 0 } = given as Partial<RetrySettings>;
  const isTime = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= HOUR;
  const isFactor = typeof multiplier === 'number' && multiplier >= 1 && multiplier <= 100;
  return Number.isInteger(attempts) && attempts! >= 1 && attempts! <= 1_000 && isTime(delay) && isTime(maxDelay) && isFactor;
}

const hasOnly = (given: unknown, allowed: readonly string[]): boolean =>
  typeof given === 'object' && given !== null && Object.keys(given).every((name) => allowed.includes(name));
