import { type CheckpointId, checkpointId } from '../model/brands.js';

/**
 * The round machine: one checkpoint of a job, from its trigger to its end. Pure: it is told what the control topic and the tasks say,
 * and answers what the coordinator is to write next; timers and messages are the business of its caller
 * (job/checkpoint-coordinator.ts). It has no memory of its own, so a successor decides from the same facts as its predecessor did.
 *
 *   (none), ENDED --trigger(n)--> OPEN(n) --every task has committed barrier n--> ENDED (n completed)
 *                                   |
 *                                   +------a task is down, or time is over------> ENDED (n abandoned, n timed out)
 *
 * Invariants (../design.md, sections 5 and 10):
 *   I5. Round n+1 is triggered only after the end of n was recorded.
 *   R4. A task that is down abandons n at once, and that is no failed checkpoint; a timeout is one. While a task is down no round is
 *       triggered: the others commit without barriers.
 *   Ids rise above every barrier that was ever committed, whatever the control topic has lost.
 *
 * Failed checkpoints are those that timed out. How many did so in a row stands in the round's records, so that a successor counts on; one
 * more than `tolerableFailedCheckpoints` allows is a failure of the tasks that have not committed its barrier. Flink restarts the whole job
 * then; here a task is a region of its own, and one that has committed the barrier would come back to that very place.
 */
export interface RoundFacts {
  /** False: checkpointing is off. No round is triggered, and one that is open, from a time when it was on, is abandoned. */
  readonly enabled: boolean;
  /** The newest round; undefined before the first. */
  readonly round: { readonly id: CheckpointId; readonly isOpen: boolean } | undefined;
  /** Every task of the job. */
  readonly tasks: readonly TaskFacts[];
  /** Monotonic milliseconds, as are the others. */
  readonly now: number;
  /** Since when the open round is known to be open. */
  readonly openSince: number;
  /** From when on the next round may be triggered. */
  readonly dueAt: number;
  readonly timeoutMs: number;
}

export interface TaskFacts {
  /** Restored and reading, by the word of the replica that has it now. */
  readonly isUp: boolean;
  /** The last barrier that it has committed. */
  readonly barrier: CheckpointId;
}

export type RoundStep =
  | { readonly type: 'trigger'; readonly id: CheckpointId }
  | { readonly type: 'end'; readonly id: CheckpointId; readonly outcome: 'completed' | 'abandoned' | 'timed-out' }
  /** Until a fact changes, and at most until then; undefined if time alone changes nothing. */
  | { readonly type: 'wait'; readonly until: number | undefined };

export function nextStep({ enabled, round, tasks, now, openSince, dueAt, timeoutMs }: RoundFacts): RoundStep {
  if (round?.isOpen === true) {
    const { id } = round;
    // Barriers first: what every task has committed is complete, whoever went down since.
    if (tasks.every(({ barrier }) => barrier >= id)) return { type: 'end', id, outcome: 'completed' };
    if (!enabled || tasks.some(({ isUp }) => !isUp)) return { type: 'end', id, outcome: 'abandoned' }; // R4
    if (now - openSince >= timeoutMs) return { type: 'end', id, outcome: 'timed-out' };
    return { type: 'wait', until: openSince + timeoutMs };
  }
  if (!enabled || tasks.length === 0 || tasks.some(({ isUp }) => !isUp)) return { type: 'wait', until: undefined };
  if (now < dueAt) return { type: 'wait', until: dueAt };
  const highest = tasks.reduce((most, { barrier }) => Math.max(most, barrier), round?.id ?? 0);
  return { type: 'trigger', id: checkpointId(highest + 1) };
}

/**
 * What the end of a round makes of the failed checkpoints in a row, as Flink counts them: one that is complete begins anew, one that is
 * abandoned changes nothing, and so many that they are not tolerated are forgotten once they have failed over.
 *
 * @param failures that were there before
 * @param tolerable how many may be there
 */
export function failuresAfter(outcome: 'completed' | 'abandoned' | 'timed-out', failures: number, tolerable: number): { readonly failures: number; readonly failsOver: boolean } {
  switch (outcome) {
    case 'completed':
      return { failures: 0, failsOver: false };
    case 'abandoned':
      return { failures, failsOver: false };
    case 'timed-out':
      return failures + 1 > tolerable ? { failures: 0, failsOver: true } : { failures: failures + 1, failsOver: false };
  }
}
