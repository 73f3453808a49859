import type { CheckpointId } from '../model/brands.js';
import { checkpointId } from '../model/brands.js';

/**
 * The round machine: one checkpoint of a job, from its trigger to its end. Pure: it is told what happened and says what follows; timers
 * and messages are the business of its caller (job/checkpoint-coordinator.ts).
 *
 *   IDLE --trigger(n)--> OPEN(n) --last acknowledgement--> IDLE (n completed)
 *                           |
 *                           +-----task failed, timeout---> IDLE (n abandoned)
 *
 * Invariants (../design.md, section 5 and 10):
 *   I5. Round n+1 is triggered only from IDLE, so only after n completed or was abandoned.
 *   R4. A task's failure abandons n at once, and is no failed checkpoint; a timeout is one.
 */
export type Round<Task> =
  | { readonly state: 'IDLE'; readonly last: CheckpointId }
  | { readonly state: 'OPEN'; readonly id: CheckpointId; readonly since: number; readonly missing: ReadonlySet<Task> };

export type RoundEnd = { readonly id: CheckpointId; readonly outcome: 'completed' | 'abandoned' | 'timed-out'; readonly durationMs: number };

export interface RoundStep<Task> {
  readonly round: Round<Task>;
  /** Set when this step ended a round. */
  readonly end?: RoundEnd;
}

/** @param last the highest barrier that any task has committed; 0 at a job's first start */
export const idleRound = <Task>(last: CheckpointId): Round<Task> => ({ state: 'IDLE', last });

/** Opens the next round over `tasks`, which must all be running. Undefined if one is open (I5) or there is no task. */
export function trigger<Task>(round: Round<Task>, tasks: ReadonlySet<Task>, now: number): Extract<Round<Task>, { state: 'OPEN' }> | undefined {
  if (round.state !== 'IDLE' || tasks.size === 0) return undefined;
  return { state: 'OPEN', id: checkpointId(round.last + 1), since: now, missing: new Set(tasks) };
}

/** A task has committed barrier `id`, or had nothing to commit. Late and repeated acknowledgements change nothing. */
export function acknowledge<Task>(round: Round<Task>, task: Task, id: CheckpointId, now: number): RoundStep<Task> {
  if (round.state !== 'OPEN' || round.id !== id || !round.missing.has(task)) return { round };
  const missing = new Set(round.missing);
  missing.delete(task);
  if (missing.size > 0) return { round: { ...round, missing } };
  return ended(round, 'completed', now);
}

/** R4: whatever task fails, an open round is abandoned. */
export function taskFailed<Task>(round: Round<Task>, now: number): RoundStep<Task> {
  return round.state === 'OPEN' ? ended(round, 'abandoned', now) : { round };
}

export function checkTimeout<Task>(round: Round<Task>, timeoutMs: number, now: number): RoundStep<Task> {
  return round.state === 'OPEN' && now - round.since >= timeoutMs ? ended(round, 'timed-out', now) : { round };
}

function ended<Task>(round: Extract<Round<Task>, { state: 'OPEN' }>, outcome: RoundEnd['outcome'], now: number): RoundStep<Task> {
  return { round: { state: 'IDLE', last: round.id }, end: { id: round.id, outcome, durationMs: now - round.since } };
}
