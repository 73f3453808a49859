import { defineErrors, error, OFFSET_OUT_OF_RANGE, type OffsetOutOfRange, RECORD_TOO_LARGE, type RecordTooLarge, MEMBER_STALE } from '@weir/core';

/** What was done with a store when something went wrong: words that complete "while ...". */
export type StoreAct = 'opening' | 'reading' | 'scanning' | 'writing' | 'destroying';

/**
 * Every error that this lib itself raises: those of the in-memory log, the simulated disk and the in-memory snapshots, which a job meets as it would meet
 * Kafka's and RocksDB's, then those of specs.
 */
export const errors = defineErrors({
  partitionMissing: error({
    code: 'LOG_PARTITION_MISSING',
    kind: 'restart-task',
    message: (c: { act: string; topic: string; partition: number; partitions: number }) =>
      `Cannot ${c.act} ${c.topic} partition ${c.partition}: it does not exist (the topic has ${c.partitions || 'none, or is not there'}).`,
    advice: 'Create the topic, or correct its name or the partition.',
    example: { act: 'read', topic: 'readings', partition: 4, partitions: 4 },
  }),
  topicReplaced: error({
    code: 'LOG_TOPIC_REPLACED',
    kind: 'restart-task',
    message: (c: { topic: string; expected: string; found: string }) =>
      `Topic ${c.topic} was deleted and created again while it was read: its id was ${c.expected} and is ${c.found}.`,
    advice: 'Offsets of the former topic mean nothing in the new one; decide where to read from.',
    example: { topic: 'readings', expected: 'a1', found: 'b2' },
  }),
  partitionCountDiffers: error({
    code: 'LOG_PARTITION_COUNT',
    kind: 'invalid',
    message: (c: { topic: string; wanted: number; found: number }) =>
      `Topic ${c.topic} should have ${c.wanted} partitions and exists with ${c.found}.`,
    advice: 'Delete the topic or use another name; partitions cannot be taken away, and more of them would move keys.',
    example: { topic: 'app-changelog', wanted: 4, found: 3 },
  }),
  offsetOutOfRange: error({
    code: OFFSET_OUT_OF_RANGE,
    kind: 'invalid',
    message: (c: OffsetOutOfRange) =>
      `Cannot read ${c.topic} partition ${c.partition} from offset ${c.offset}: it holds offsets ${c.start} to ${c.end}.`,
    advice: 'Retention removed what was not read yet, or the topic is another one: decide where to read from.',
    example: { topic: 'readings', partition: 0, offset: 5, start: 100, end: 200 },
  }),
  deletionOutOfRange: error({
    code: 'LOG_DELETION_OUT_OF_RANGE',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; offset: number; end: number }) =>
      `Cannot delete the records of ${c.topic} partition ${c.partition} below offset ${c.offset}: the log ends at ${c.end}.`,
    advice: 'Only what was read can be deleted; compare the offset with the end of the partition.',
    example: { topic: 'app-0-by-site-repartition', partition: 0, offset: 300, end: 200 },
  }),
  recordsKept: error({
    code: 'LOG_RECORDS_KEPT',
    kind: 'invalid',
    message: (c: { topic: string }) => `Cannot delete records of topic ${c.topic}: its cleanup.policy does not say delete.`,
    advice: 'A compacted topic loses records by compaction alone; add delete to its cleanup.policy if they may go.',
    example: { topic: 'app-0-0-changelog' },
  }),
  writerFenced: error({
    code: 'LOG_WRITER_FENCED',
    kind: 'fenced',
    message: (c: { act: string; transactionalId: string; epoch: number; currentEpoch: number }) =>
      `Cannot ${c.act} as ${c.transactionalId} with epoch ${c.epoch}: its epoch is ${c.currentEpoch} now.`,
    advice: 'Another writer took over, or the transaction timed out: drop what was not committed.',
    example: { act: 'commit', transactionalId: 'app-0-1', epoch: 3, currentEpoch: 4 },
  }),
  outcomeUnknown: error({
    code: 'LOG_OUTCOME_UNKNOWN',
    kind: 'fenced',
    message: (c: { transactionalId: string }) =>
      `The log was closed before it answered a commit of ${c.transactionalId}, which may or may not have taken effect.`,
    advice: 'Open a writer with the same id, then look at what is committed.',
    example: { transactionalId: 'app-0-1' },
  }),
  generationStale: error({
    code: MEMBER_STALE,
    kind: 'fenced',
    message: (c: { groupId: string; generation: number; memberId: string; expected: string }) =>
      `Cannot add offsets for group ${c.groupId} as member "${c.memberId}" in generation ${c.generation}: ${c.expected}.`,
    advice: 'The group has moved on: drop what was not committed, unless the partitions are still assigned here in the new generation.',
    example: { groupId: 'app', generation: 3, memberId: 'm-1', expected: 'its generation is 4' },
  }),
  transactionOpen: error({
    code: 'LOG_TRANSACTION_OPEN',
    kind: 'internal',
    message: (c: { transactionalId: string }) => `Cannot begin a transaction of ${c.transactionalId}: its last one has not ended.`,
    advice: 'Commit or abort it first, and wait for that.',
    example: { transactionalId: 'app-0-1' },
  }),
  transactionEnded: error({
    code: 'LOG_TRANSACTION_ENDED',
    kind: 'internal',
    message: (c: { act: string; transactionalId: string; state: string }) =>
      `Cannot ${c.act} in a transaction of ${c.transactionalId} that is ${c.state}.`,
    advice: 'Begin another one.',
    example: { act: 'append', transactionalId: 'app-0-1', state: 'committed' },
  }),
  transactionFailed: error({
    code: 'LOG_TRANSACTION_FAILED',
    kind: 'restart-task',
    message: (c: { act: string; transactionalId: string }) =>
      `Cannot ${c.act} in a transaction of ${c.transactionalId}: an earlier call in it failed (see the cause), so it can never be whole.`,
    advice: 'Abort it and do its work again.',
    example: { act: 'commit', transactionalId: 'app-0-1' },
  }),
  recordTooLarge: error({
    code: RECORD_TOO_LARGE,
    kind: 'invalid',
    message: (c: RecordTooLarge) =>
      `Cannot append row ${c.row}, a record of ${c.bytes} bytes, to ${c.topic} partition ${c.partition}: the topic takes ${c.limit} (max.message.bytes).`,
    advice: 'Raise the limit of the topic, or write smaller records.',
    example: { topic: 'alerts', partition: 0, row: 3, bytes: 2_000_000, limit: 1_048_588 },
  }),
  keyRequired: error({
    code: 'LOG_KEY_REQUIRED',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; row: number }) =>
      `Cannot append row ${c.row} to ${c.topic} partition ${c.partition}: it has no key, and the topic is compacted.`,
    advice: 'Give every record of a compacted topic a key.',
    example: { topic: 'app-changelog', partition: 0, row: 3 },
  }),
  logClosed: error({
    code: 'LOG_CLOSED',
    kind: 'restart-task',
    message: (c: { act: string; clientId: string }) => `Cannot ${c.act}: log client ${c.clientId} was closed.`,
    advice: 'Open another one.',
    example: { act: 'append', clientId: 'app-1' },
  }),
  stateLocked: error({
    code: 'STATE_LOCKED',
    kind: 'retry',
    message: (c: { act: StoreAct; store: string; waitedMs: number }) =>
      `While ${c.act} the store ${c.store} on the simulated disk: another has its lock, and kept it for the ${c.waitedMs} ms waited.`,
    advice: 'Close it where it is open, or kill the process that has it.',
    example: { act: 'opening', store: 'app/0/0-1', waitedMs: 300 },
  }),
  stateWriteFailed: error({
    code: 'STATE_WRITE_FAILED',
    kind: 'restart-task',
    message: (c: { store: string; found: string }) => `While writing the store ${c.store} of the simulated disk: ${c.found}.`,
    advice: 'A spec has planned this; the task starts again from its last commit.',
    example: { store: 'app/0/0-1', found: 'no space left on device' },
  }),
  stateScopeInvalid: error({
    code: 'STATE_SCOPE_INVALID',
    kind: 'invalid',
    message: (c: { part: string; expected: string; actual: string }) =>
      `The ${c.part} of a store names its directory and must be ${c.expected}, and ${c.actual} came.`,
    advice: 'Set an application id of the allowed characters.',
    example: { part: 'applicationId', expected: '1 to 100 of A-Z a-z 0-9 . _ -, neither "." nor ".."', actual: '"../etc"' },
  }),
  stateTooManyStores: error({
    code: 'STATE_TOO_MANY_STORES',
    kind: 'internal',
    message: (c: { store: string; maxStores: number }) =>
      `Opening the store ${c.store} would make more than the ${c.maxStores} that the backend was opened for.`,
    advice: 'Open the backend for as many stores as will be open at once.',
    example: { store: 'app/0/0-1', maxStores: 4 },
  }),
  stateClosed: error({
    code: 'STATE_CLOSED',
    kind: 'internal',
    message: (c: { act: StoreAct; store: string }) => `While ${c.act} the store ${c.store} of the simulated disk: it is closed.`,
    advice: 'Open it anew.',
    example: { act: 'reading', store: 'app/0/0-1' },
  }),
  stateStillOpen: error({
    code: 'STATE_STILL_OPEN',
    kind: 'internal',
    message: (c: { store: string }) => `Destroying the store ${c.store} needs it closed, and this process has it open.`,
    advice: 'Close it first.',
    example: { store: 'app/0/0-1' },
  }),
  stateKeyMissing: error({
    code: 'STATE_KEY_MISSING',
    kind: 'internal',
    message: (c: { store: string; row: number }) =>
      `A batch for the store ${c.store} has a null key in row ${c.row}; nothing of it was written.`,
    advice: 'Give every row a key.',
    example: { store: 'app/0/0-1', row: 17 },
  }),
  statePositionInvalid: error({
    code: 'STATE_POSITION_INVALID',
    kind: 'internal',
    message: (c: { store: string; field: string; expected: string; actual: string }) =>
      `The ${c.field} of a position for the store ${c.store} must be ${c.expected}, and ${c.actual} came; nothing was written.`,
    advice: 'Look for where the position comes from.',
    example: { store: 'app/0/0-1', field: 'offset', expected: 'a whole number from 0', actual: '-1' },
  }),
  statePositionRegressed: error({
    code: 'STATE_POSITION_REGRESSED',
    kind: 'internal',
    message: (c: { store: string; held: string; given: string }) =>
      `The store ${c.store} holds all up to ${c.held} of its changelog, and a batch would set it to ${c.given}; nothing was written.`,
    advice: 'Destroy the store before it follows another log, or an earlier place of this one.',
    example: { store: 'app/0/0-1', held: 'offset 20 of topic id aaaa', given: 'offset 19 of topic id aaaa' },
  }),
  snapshotNameInvalid: error({
    code: 'SNAPSHOT_NAME_INVALID',
    kind: 'invalid',
    message: (c: { name: string; expected: string }) => `The name of a snapshot must be ${c.expected}, and ${JSON.stringify(c.name)} came.`,
    advice: 'Make names of the allowed characters.',
    example: { name: '../x', expected: 'parts joined by "/"' },
  }),
  snapshotMissing: error({
    code: 'SNAPSHOT_MISSING',
    kind: 'invalid',
    message: (c: { name: string }) => `Reading the snapshot ${c.name}: the in-memory store has none of that name.`,
    advice: 'Look for what deleted it, or for who names it without having created it.',
    example: { name: 'app/0/0-1/x.base' },
  }),
  snapshotCreationLost: error({
    code: 'SNAPSHOT_CREATION_LOST',
    kind: 'restart-task',
    message: (c: { name: string }) => `Creating the snapshot ${c.name}: what was written of it has been deleted meanwhile.`,
    advice: 'Another owner took the writer for dead; the task starts again from its last commit.',
    example: { name: 'app/0/0-1/x.base' },
  }),
  diskNameAmbiguous: error({
    code: 'DISK_NAME_AMBIGUOUS',
    kind: 'invalid',
    message: (c: { name: string; stores: string }) => `Several stores of the simulated disk are called ${c.name}: ${c.stores}.`,
    advice: 'Ask by the whole name of one of them.',
    example: { name: '0-1', stores: 'app/0/0-1, app/1/0-1' },
  }),
  clockStandsStill: error({
    code: 'CLOCK_STANDS_STILL',
    kind: 'invalid',
    message: (c: { at: number; timers: number }) =>
      `More than ${c.timers} timers ran at ${c.at} ms of the manual clock, and time did not move.`,
    advice: 'Look for a loop that waits 0 ms in each turn.',
    example: { at: 500, timers: 100_000 },
  }),
  neverSettles: error({
    code: 'NEVER_SETTLES',
    kind: 'invalid',
    message: (c: { waitedMs: number; limitMs: number; timersLeft: number }) =>
      `What the spec waits for did not happen within ${c.waitedMs} of ${c.limitMs} simulated ms; ${c.timersLeft} timers are left.`,
    advice: (c) =>
      c.timersLeft === 0
        ? 'Nothing can happen any more without a timer: look for a promise that nobody settles (a killed client never answers).'
        : 'Raise the limit, or look for what keeps retrying.',
    example: { waitedMs: 42, limitMs: 600_000, timersLeft: 0 },
  }),
  neverEnough: error({
    code: 'NEVER_ENOUGH',
    kind: 'invalid',
    message: (c: { turns: number; records: number; last: number | 'none' }) =>
      `What the spec reads did not come within ${c.turns} turns; ${c.records} records came, the last at offset ${c.last}.`,
    advice: 'Look for an open transaction that holds the partition back, or a condition that overshoots.',
    example: { turns: 10_000, records: 3, last: 2 },
  }),
  faultBreaksPort: error({
    code: 'FAULT_BREAKS_PORT',
    kind: 'invalid',
    message: (c: { point: string; problem: string }) => `A fault at ${c.point} would break the promises of the Log port: ${c.problem}.`,
    advice: 'Inject what a real log could do.',
    example: { point: 'commit:applied', problem: 'a commit that took effect may only fail with a fenced error' },
  }),
  clusterMisused: error({
    code: 'CLUSTER_MISUSED',
    kind: 'invalid',
    message: (c: { act: string; problem: string }) => `Cannot ${c.act}: ${c.problem}.`,
    advice: 'Correct the spec.',
    example: { act: 'compact topic readings', problem: 'its cleanup.policy is delete' },
  }),
});
