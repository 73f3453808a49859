import type { DeletedState } from '../control/control-record.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Incarnation } from '../model/brands.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { TaskPlan } from '../task/task-plan.js';
import { changelogTopic, repartitionTopic } from './internal-topics.js';

/**
 * The end of a life of the job: it was cancelled, and its settings say DELETE_ON_CANCELLATION. The coordinator deletes what that life has in the
 * log, each replica what it has on its disk (local-state.ts). What comes after it is another life, the next incarnation, whose number stands in
 * the names of its topics and stores.
 *
 *   1. `cancelled` is recorded, with the next incarnation and with what is to be deleted (C4)
 *   2. wait until the tasks have ended, as their replicas say; not for long, for one that hangs or is dead says nothing
 *   3. claim every transactional id of the former life: its open transactions end, and nobody who held one can commit any more (I4)
 *   4. delete its topics
 *   5. record `cancelled` once more, with nothing left to delete
 *   Each replica: its tasks ended -> its standbys ended -> its local stores, and the snapshots, deleted
 *   resume: `running` is recorded with the incarnation -> each replica begins anew, from the look at its inputs on, with a new plan
 *
 * Invariants
 *   F1. What is to be deleted stands in the record, so whoever is the coordinator when its predecessor died continues with that, from step 2; each
 *       step may be done again. Commands are carried out only when it has ended.
 *   F2. Nothing of the former life is committed behind step 3. A zombie that knows nothing yet is fenced; it can claim an id again, but gets no
 *       permit, for the control topic names another incarnation than its plan does (I3).
 *   F3. A topic or store of the next life never has the name of one of the former. So whatever comes late, a deletion, a purge, an append
 *       outside of transactions (AT_LEAST_ONCE), meets the former's or nothing.
 *   F4. The control topic stays, and says `cancelled` (I8). Inputs, outputs and dead letters are the user's, and stay.
 *
 * What the log refuses to delete is said, and left: the next life does not meet it (F3). Group offsets stay, too: nobody reads them, and the
 * next life's commits replace them.
 */
export interface DeletionHost {
  readonly clock: Clock;
  readonly log: Pick<Log, 'openWriter' | 'deleteTopics'>;
  readonly transactionTimeoutMs: number;
  /** Whether a replica says that a task of the job still runs with it. */
  areTasksUp(): boolean;
  /** Until something has changed, or until then. */
  wait(until: number): Promise<void>;
  /** As for the coordinator's own claim: a zombie must not fence what its successor has resumed. */
  mayClaim(): Promise<void>;
  /** Whether this is still to be done, and by this replica. */
  goesOn(): boolean;
  onNotice(message: string): void;
}

/** Milliseconds that tasks may take to end before they are fenced. */
const ENDING_MS = 5_000;

/** What a life of the job has in the log, by its plan: the same topics and ids in each, but for the number of the life. */
export function stateOf(plans: readonly TaskPlan[], life: Incarnation): DeletedState {
  const topics = plans.flatMap(({ settings: { applicationId }, subTopology, repartitionOutputs }) => [
    changelogTopic(applicationId, life, subTopology),
    ...repartitionOutputs.map(({ node }) => repartitionTopic(applicationId, life, node.name)),
  ]);
  return { topics: [...new Set(topics)], transactionalIds: plans.map(({ transactionalId }) => transactionalId) };
}

/**
 * Steps 2 to 4.
 * @returns false if it was left to a successor
 * @throws WeirError as the log throws them, but for a refused deletion
 */
export async function deleteState({ topics, transactionalIds }: DeletedState, host: DeletionHost): Promise<boolean> {
  // 2.
  const until = host.clock.monotonic() + ENDING_MS;
  while (host.goesOn() && host.areTasksUp() && host.clock.monotonic() < until) await host.wait(until);
  // 3.
  for (const transactionalId of transactionalIds) {
    await host.mayClaim();
    if (!host.goesOn()) return false;
    const writer = await host.log.openWriter({ transactionalId, transactionTimeoutMs: host.transactionTimeoutMs });
    await writer.close();
  }
  // 4.
  if (!host.goesOn()) return false;
  for (const topic of topics) await deleteTopic(topic, host);
  host.onNotice(`The job was cancelled, and its state is deleted (DELETE_ON_CANCELLATION): topics ${topics.join(', ')}.`);
  return true;
}

async function deleteTopic(topic: string, host: DeletionHost): Promise<void> {
  try {
    await host.log.deleteTopics([topic]);
  } catch (thrown) {
    if (!isWeirError(thrown, 'invalid')) throw thrown;
    host.onNotice(`Topic "${topic}" of the cancelled job is left: ${thrown.message} Delete it by hand: nothing uses it any more.`);
  }
}
