/**
 * What becomes of a record that an operator cannot process: its bytes cannot be decoded, a function throws, a result cannot be encoded.
 *
 * `fail` fails the task, which changes nothing: the job goes on at this record when it starts again. `skip` drops the record for this
 * operator and counts it. `deadLetter` writes it, as it came, to a topic, in the transaction of everything else.
 */
export type BadRecordPolicy = 'fail' | 'skip' | DeadLetterPolicy;

export interface DeadLetterPolicy {
  /** The topic that bad records go to; created if it is missing. */
  readonly deadLetter: string;
}

/** What may be said of any operator. */
export interface OperatorOptions {
  /** Default: the setting `badRecords` of the job, which is `fail` by default. */
  readonly onBadRecord?: BadRecordPolicy;
}

export const BAD_RECORD_POLICIES = 'fail, skip, { deadLetter: <name of a topic> }';

const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/** Whether it is a policy, whatever the types said. */
export function isBadRecordPolicy(given: unknown): given is BadRecordPolicy {
  if (given === 'fail' || given === 'skip') return true;
  if (typeof given !== 'object' || given === null || Object.keys(given).length !== 1) return false;
  const { deadLetter } = given as Partial<DeadLetterPolicy>;
  return typeof deadLetter === 'string' && TOPIC_NAME.test(deadLetter);
}
