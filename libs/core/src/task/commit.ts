import { type Append, type AppendResult, type LogTransaction, type LogWriter, MEMBER_STALE } from '../ports/log.js';
import type { StateStore, StorePosition } from '../ports/state-backend.js';
import type { CommitFigures } from '../model/commit-figures.js';
import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { CheckpointId, Epoch } from '../model/brands.js';
import type { RecordColumns } from '../model/record-columns.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { Clock } from '../ports/clock.js';
import type { AtOnceOutputs } from './at-once-outputs.js';
import type { CommitPermit } from './commit-permit.js';
import type { EpochEffects } from './epoch-effects.js';
import { takeSnapshot } from './epoch-snapshot.js';
import type { ChangelogTopic } from './task-plan.js';

/**
 * The commit of one epoch: steps 3 to 6 of a round (../design.md, section 5); step 2, the freeze, is the task's.
 *
 *   3. write outputs, then the state changes with the epoch record last; all acknowledged. Where the store keeps snapshots, the state changes
 *      go there first, before the transaction begins, and the epoch record says where (epoch-snapshot.ts)
 *   4. add the input offsets, with generation and member id
 *   5. commit the transaction; only now is the epoch real
 *   6. write the frozen state and its position to the store
 *
 * Invariants:
 *   I1. The store is written in step 6 alone, after step 5 resolved: it never holds what no committed transaction holds.
 *   I2. Outputs, changelog, epoch record and offsets are in one transaction. AT_LEAST_ONCE: all but the outputs, which were acknowledged
 *       before it began (at-once-outputs.ts).
 *   I4. A permit is needed, and an older writer's commit fails in the log.
 *   I6. The store's position is the offset behind the epoch record: the changelog up to there is in the store, and nothing beyond.
 *
 * What a crash leaves, step by step: before 5, an open transaction that the successor's claim aborts, so the epoch is computed again;
 * after 5, a committed epoch that the store lacks, which the changelog's tail supplies, or the snapshot that its epoch record names. A reply to 5 that is lost is asked for again by
 * the log (L4), so an error from 5 is an epoch that is not committed or one whose owner is no longer this task.
 */
export interface FrozenEpoch {
  readonly epoch: Epoch;
  /** Its barrier; undefined for a commit outside a round. */
  readonly barrier: CheckpointId | undefined;
  readonly effects: EpochEffects;
  readonly offsets: readonly PartitionOffset[];
  /** Milliseconds from the first sign of its barrier to the freeze; 0 without one. */
  readonly alignmentMs: number;
}

/** @param stateBytes of the task's store */
export const figuresOf = ({ effects, alignmentMs }: FrozenEpoch, durationMs: number, stateBytes: number): CommitFigures => ({
  bytes: effects.bytes,
  stateChanges: effects.changes.count,
  durationMs,
  alignmentMs,
  stateBytes,
});

export interface CommitParts {
  readonly task: string;
  readonly writer: LogWriter;
  readonly store: StateStore;
  readonly changelog: ChangelogTopic;
  readonly clock: Clock;
  readonly transactionTimeoutMs: number;
  /** Outputs that go out at once, if that is the mode: only barriers are left in the effects then. */
  readonly atOnce: AtOnceOutputs | undefined;
}

/** @throws WeirError as the log and the store throw them; `restart-task` if the transaction outlived its timeout */
export async function commitEpoch(frozen: FrozenEpoch, parts: CommitParts, permit: CommitPermit): Promise<void> {
  permit.assertHeld(parts.task);
  await parts.atOnce?.settled(); // O2
  const { snapshots } = parts.store;
  const changes = frozen.effects.changes.columns;
  const changelogRows = snapshots === undefined ? changes : await takeSnapshot(changes, snapshots);
  const began = parts.clock.monotonic();
  const transaction = parts.writer.begin();
  let changelogEnd: AppendResult;
  try {
    changelogEnd = await writeEffects(transaction, frozen, changelogRows, parts.changelog);
    await addOffsets(transaction, frozen, parts, permit);
    await transaction.commit();
  } catch (thrown) {
    throw expiredOr(thrown, parts, parts.clock.monotonic() - began);
  }
  await applyToStore(frozen, parts, changelogEnd);
}

/** Step 3. The changelog goes last, and the epoch record is its last record. */
async function writeEffects(transaction: LogTransaction, { effects }: FrozenEpoch, records: RecordColumns, { topic, partition }: ChangelogTopic): Promise<AppendResult> {
  const appends: Append[] = [...effects.outputAppends(), { topic, partition, records }];
  const results = await transaction.append(appends);
  const last = results.at(-1);
  if (last === undefined || last.topic !== topic || last.partition !== partition) {
    throw errors.invariantBroken({ invariant: 'I6', facts: `the append to ${topic}-${partition} was acknowledged as ${last?.topic}-${last?.partition}` });
  }
  return last;
}

/** Step 4. A generation may have passed since the replica last heard of it: the group is asked, and the offsets are added in its name. */
async function addOffsets(transaction: LogTransaction, { offsets }: FrozenEpoch, { task }: CommitParts, permit: CommitPermit): Promise<void> {
  for (;;) {
    permit.assertHeld(task);
    const { membership } = permit;
    try {
      await transaction.addOffsets(membership, offsets);
      return;
    } catch (thrown) {
      if (!isWeirError(thrown) || thrown.code !== MEMBER_STALE) throw thrown;
      await permit.renew(membership);
    }
  }
}

/** Step 6. */
async function applyToStore({ effects }: FrozenEpoch, { store, changelog, clock }: CommitParts, changelogEnd: AppendResult): Promise<void> {
  const before = store.position;
  if (before !== undefined && before.offset > changelogEnd.firstOffset) {
    throw errors.invariantBroken({ invariant: 'I6', facts: `position ${before.offset} of the store is beyond the epoch's first record ${changelogEnd.firstOffset}` });
  }
  const position: StorePosition = {
    offset: changelogEnd.nextOffset,
    topicId: changelog.topicId,
    leaderEpoch: changelogEnd.leaderEpoch,
    writtenAt: clock.wall(),
  };
  await store.apply(effects.changes.columns, position);
}

/** A log tells an expired transaction with the error of fencing; that it outlived its timeout tells them apart. */
function expiredOr(thrown: unknown, { task, transactionTimeoutMs }: CommitParts, ageMs: number): unknown {
  const expired = isWeirError(thrown, 'fenced') && ageMs >= transactionTimeoutMs;
  return expired ? errors.transactionExpired({ task, ageMs: Math.round(ageMs), timeoutMs: transactionTimeoutMs }, thrown) : thrown;
}
