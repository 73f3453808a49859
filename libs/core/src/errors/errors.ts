import { defineErrors, error } from './weir-error.js';

/** Every error that core itself raises. Adapters have catalogues of their own. */
export const errors = defineErrors({
  settingInvalid: error({
    code: 'SETTING_INVALID',
    kind: 'invalid',
    message: (c: { setting: string; value: unknown; allowed: string }) => `Setting ${c.setting} is ${show(c.value)}; allowed: ${c.allowed}.`,
    advice: 'Correct the setting and start again.',
    example: { setting: 'checkpointing.interval', value: -1, allowed: 'a whole number from 10 to 600000' },
  }),
  settingUnknown: error({
    code: 'SETTING_UNKNOWN',
    kind: 'invalid',
    message: (c: { setting: string; allowed: readonly string[] }) => `Setting ${c.setting} does not exist.`,
    advice: (c) => `Use one of ${c.allowed.join(', ')}.`,
    example: { setting: 'checkpointing.intervall', allowed: ['interval', 'mode'] },
  }),
  topologyInvalid: error({
    code: 'TOPOLOGY_INVALID',
    kind: 'invalid',
    message: (c: { job: string; problem: string; advice: string }) => `Job ${c.job} cannot be built: ${c.problem}.`,
    advice: (c) => c.advice,
    example: { job: 'alerts', problem: 'two operators are named "count"', advice: 'Give each stateful operator a name of its own.' },
  }),
  partitionCountsDiffer: error({
    code: 'PARTITION_COUNTS_DIFFER',
    kind: 'invalid',
    message: (c: { job: string; counts: string }) => `Job ${c.job} joins topics with different partition counts in one sub-topology: ${c.counts}.`,
    advice: 'Give them the same number of partitions, or key one of them anew.',
    example: { job: 'alerts', counts: 'readings has 4, limits has 3' },
  }),
  parallelismTooHigh: error({
    code: 'PARALLELISM_TOO_HIGH',
    kind: 'invalid',
    message: (c: { parallelism: number; partitions: number; topic: string }) =>
      `Setting parallelism is ${c.parallelism}, and topic ${c.topic} has ${c.partitions} partitions: some tasks would have nothing to read.`,
    advice: 'Set parallelism to at most the number of partitions, or leave it out.',
    example: { parallelism: 8, partitions: 4, topic: 'readings' },
  }),
  parallelismChanged: error({
    code: 'PARALLELISM_CHANGED',
    kind: 'invalid',
    message: (c: { topic: string; recorded: number; wanted: number }) =>
      `Changelog ${c.topic} was written with parallelism ${c.recorded}, and the job now wants ${c.wanted}: state lies with other tasks.`,
    advice: (c) =>
      `Start with parallelism ${c.recorded}, or with a new applicationId; another parallelism needs a savepoint to restore from. ` +
      'If nobody set it, it follows from the partitions of the inputs, and some were added.',
    example: { topic: 'app-0-0-changelog', recorded: 4, wanted: 8 },
  }),
  inputPartitionsChanged: error({
    code: 'INPUT_PARTITIONS_CHANGED',
    kind: 'invalid',
    message: (c: { topic: string; recorded: number; found: number }) =>
      `Topic ${c.topic} has ${c.found} partitions, and the job's state was written when it had ${c.recorded}: keys lie elsewhere now.`,
    advice:
      'Take a savepoint before partitions are added, and restore the job from it: that deals the state out anew by key. ' +
      'Without one, produce to a topic with the former number of partitions, or start anew with another applicationId.',
    example: { topic: 'readings', recorded: 4, found: 8 },
  }),
  inputRecordsGone: error({
    code: 'INPUT_RECORDS_GONE',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; source: string; offset: number; start: number }) =>
      `Source ${c.source} is to go on at offset ${c.offset} of ${c.topic} partition ${c.partition}, and the log begins at ${c.start}: up to ${c.start - c.offset} records that the job has not processed are gone, by the topic's retention or by deletion.`,
    advice: (c) =>
      `To go on without them, set onOffsetOutOfRange of source ${c.source} to earliest (at ${c.start}) or latest (at the end): what is skipped is said. ` +
      'Keep retention.ms and retention.bytes of the topic above the longest time that the job may stand still.',
    example: { topic: 'readings', partition: 2, source: 'readings', offset: 10, start: 200 },
  }),
  inputTruncated: error({
    code: 'INPUT_TRUNCATED',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; source: string; offset: number; end: number }) =>
      `Source ${c.source} is to go on at offset ${c.offset} of ${c.topic} partition ${c.partition}, and the log ends at ${c.end}: it has lost ${c.offset - c.end} offsets that the job has processed.`,
    advice: (c) =>
      'Find out what the brokers lost (an unclean leader election, a disk). ' +
      `To go on at ${c.end} with what is written from now on, set onOffsetOutOfRange of source ${c.source} to earliest or latest.`,
    example: { topic: 'readings', partition: 2, source: 'readings', offset: 900, end: 850 },
  }),
  controlRecordUnreadable: error({
    code: 'CONTROL_RECORD_UNREADABLE',
    kind: 'invalid',
    message: (c: { where: string; key: string; problem: string }) => `The record "${c.key}" in control topic ${c.where} cannot be read: ${c.problem}.`,
    advice: 'Start the version of Weir that wrote it, and see that nobody else writes to this topic.',
    example: { where: 'app-control-0', key: 'round', problem: 'version 2, and this Weir reads 1' },
  }),
  controlTopicInvalid: error({
    code: 'CONTROL_TOPIC_INVALID',
    kind: 'invalid',
    message: (c: { topic: string; partitions: number }) => `Topic ${c.topic} is the job's control topic and must have 1 partition; it has ${c.partitions}.`,
    advice: 'Choose another applicationId, or delete the topic if it is not in use.',
    example: { topic: 'app-control', partitions: 6 },
  }),
  replicaRefused: error({
    code: 'REPLICA_REFUSED',
    kind: 'invalid',
    message: (c: { problem: string }) => `The replica that leads the group gives this one nothing to do: ${c.problem}.`,
    advice: 'See that all replicas run the same version of Weir, each under a group.instanceId of its own.',
    example: { problem: 'its report has version 2, and this leader reads 1' },
  }),
  permitRevoked: error({
    code: 'PERMIT_REVOKED',
    kind: 'fenced',
    message: (c: { task: string; reason: string }) => `Task ${c.task} may not commit: ${c.reason}.`,
    advice: 'Nothing: what was not committed is computed again by the replica that has the task now.',
    example: { task: '0-3', reason: 'the group has counted this replica out' },
  }),
  controlClosed: error({
    code: 'CONTROL_CLOSED',
    kind: 'restart-task',
    message: (c: { topic: string }) => `Control topic ${c.topic} is no longer followed: this replica ends.`,
    advice: 'Nothing: the next start reads it anew.',
    example: { topic: 'app-control' },
  }),
  checkpointNotTolerated: error({
    code: 'CHECKPOINT_NOT_TOLERATED',
    kind: 'restart-task',
    message: (c: { task: string; checkpoint: number; durationMs: number }) =>
      `Task ${c.task} did not commit checkpoint ${c.checkpoint}, which was given up after ${c.durationMs} ms, and more failed in a row than checkpointing.tolerableFailedCheckpoints allows.`,
    advice: 'Find out what holds the task up: a slow function, a log that does not answer, or a timeout that is too short for a commit (checkpointing.timeout).',
    example: { task: '0-1', checkpoint: 7, durationMs: 600_000 },
  }),
  inputTopicReplaced: error({
    code: 'INPUT_TOPIC_REPLACED',
    kind: 'invalid',
    message: (c: { topic: string; recorded: string; found: string }) =>
      `Topic ${c.topic} is another one than the job has read (id ${c.found}, recorded ${c.recorded}): it was deleted and created again, and the recorded offsets do not fit it.`,
    advice: 'Start anew with another applicationId, or bring the former topic back.',
    example: { topic: 'readings', recorded: 'a1', found: 'b2' },
  }),
  stateIncompatible: error({
    code: 'STATE_INCOMPATIBLE',
    kind: 'invalid',
    message: (c: { changelog: string; problem: string }) => `The state in ${c.changelog} does not fit the job: ${c.problem}.`,
    advice:
      'Bring the former definition back (parts of a job between shuffles are numbered in the order of their first sources: define new ones last), ' +
      'or start anew with another applicationId; migrations start from a savepoint.',
    example: { changelog: 'app-0-0-changelog-2', problem: 'state "last" of operator "jump" was float64 and is declared json' },
  }),
  stateWithoutOffsets: error({
    code: 'STATE_WITHOUT_OFFSETS',
    kind: 'invalid',
    message: (c: { changelog: string; records: number }) =>
      `Changelog ${c.changelog} has state (${c.records} records) and no epoch record, so nothing says up to where the inputs are in it.`,
    advice: 'Never delete records from a changelog. Start anew with another applicationId.',
    example: { changelog: 'app-0-0-changelog-2', records: 12 },
  }),
  stateBackendChanged: error({
    code: 'STATE_BACKEND_CHANGED',
    kind: 'invalid',
    message: (c: { changelog: string; recorded: string; configured: string; place: string }) =>
      `Changelog ${c.changelog} was written by a job with the state backend ${c.recorded}, whose state lies in ${c.place}; and ${c.configured} is configured, which does not look there.`,
    advice: (c) => `Nothing was changed. Configure ${c.recorded} again, with the directory that it had, or start anew with another applicationId.`,
    example: { changelog: 'app-0-0-changelog-2', recorded: 'filesystem', configured: 'rocksdb', place: 'snapshots' },
  }),
  epochRecordUnreadable: error({
    code: 'EPOCH_RECORD_UNREADABLE',
    kind: 'invalid',
    message: (c: { changelog: string; problem: string }) => `The epoch record in ${c.changelog} cannot be read: ${c.problem}.`,
    advice: 'If a newer Weir wrote it, run that version; otherwise start anew with another applicationId.',
    example: { changelog: 'app-0-0-changelog-2', problem: 'version 9, and this Weir reads up to 1' },
  }),
  barrierUnreadable: error({
    code: 'BARRIER_UNREADABLE',
    kind: 'invalid',
    message: (c: { offset: number; version: number | undefined }) =>
      `The record without a key at offset ${c.offset} of a repartition topic is no barrier that this Weir reads (version ${c.version ?? 'none'}).`,
    advice: 'Nobody but Weir writes to a repartition topic; if a newer Weir did, run that version.',
    example: { offset: 12, version: 9 },
  }),
  barrierFromStranger: error({
    code: 'BARRIER_FROM_STRANGER',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; writer: string; writers: string }) =>
      `A barrier in ${c.topic} partition ${c.partition} is from task ${c.writer}; expected one of ${c.writers}.`,
    advice: 'Two jobs share an applicationId, or the job was changed: give each its own, or bring the former definition back.',
    example: { topic: 'app-0-shuffle-0-repartition', partition: 1, writer: '0-9', writers: '0-0, 0-1' },
  }),
  changelogBlocked: error({
    code: 'CHANGELOG_BLOCKED',
    kind: 'restart-task',
    message: (c: { changelog: string; lastStable: number; highWatermark: number; waitedMs: number }) =>
      `An open transaction holds ${c.changelog} back at offset ${c.lastStable} of ${c.highWatermark} after ${c.waitedMs} ms.`,
    advice: 'If this repeats, find the hanging transaction with kafka-transactions.sh find-hanging and abort it.',
    example: { changelog: 'app-0-0-changelog-2', lastStable: 10, highWatermark: 12, waitedMs: 60_000 },
  }),
  copyOutdated: error({
    code: 'COPY_OUTDATED',
    kind: 'rebuild-state',
    message: (c: { changelog: string; reason: string }) => `A copy of the state in ${c.changelog} cannot follow it any more: ${c.reason}.`,
    advice: 'Nothing: the copy is built anew, and the task itself is not concerned.',
    example: { changelog: 'app-0-0-changelog-2', reason: "its position 40 is below the changelog's start 90" },
  }),
  recordUndecodable: error({
    code: 'RECORD_UNDECODABLE',
    kind: 'data',
    message: (c: { topic: string; partition: number; offset: number; part: string; codec: string; problem: string; bytes: string }) =>
      `Cannot decode the ${c.part} of the record in ${c.topic} partition ${c.partition} at offset ${c.offset} as ${c.codec}: ${c.problem}. Its bytes: ${c.bytes}.`,
    advice: 'Correct the producer or the codec; the job goes on at this record when it starts again.',
    example: { topic: 'readings', partition: 2, offset: 17, part: 'value', codec: 'csv', problem: '2 fields', bytes: '"a,b" (3 bytes)' },
  }),
  functionFailed: error({
    code: 'FUNCTION_FAILED',
    kind: 'data',
    message: (c: { operator: string; topic: string; partition: number; offset: number; problem: string }) =>
      `Operator ${c.operator} failed on the record of ${c.topic} partition ${c.partition} at offset ${c.offset}: ${c.problem}.`,
    advice: 'Correct the function; the job goes on at this record when it starts again.',
    example: { operator: 'jump', topic: 'readings', partition: 2, offset: 17, problem: 'x is not a function' },
  }),
  jobNotReached: error({
    code: 'JOB_NOT_REACHED',
    kind: 'retry',
    message: (c: { job: string; command: string; status: string }) => `Job ${c.job} cannot take the command "${c.command}" now: it is ${c.status} and has not read its control topic.`,
    advice: 'Try again once it runs, or ask another replica.',
    example: { job: 'alerts', command: 'cancel', status: 'INITIALIZING' },
  }),
  recordToRetry: error({
    code: 'RECORD_TO_RETRY',
    kind: 'restart-task',
    message: (c: { operator: string; topic: string; partition: number; offset: number; retry: number; attempts: number; delayMs: number; problem: string }) =>
      `Operator ${c.operator} failed on the record of ${c.topic} partition ${c.partition} at offset ${c.offset}: ${c.problem}. It is tried again in ${c.delayMs} ms (${c.retry} of ${c.attempts}).`,
    advice: 'Nothing is to be done yet: the task goes back to its last commit, and after the last try the policy of the operator has the record.',
    example: { operator: 'jump', topic: 'readings', partition: 2, offset: 17, retry: 1, attempts: 3, delayMs: 1_000, problem: 'the service does not answer' },
  }),
  outputUnencodable: error({
    code: 'OUTPUT_UNENCODABLE',
    kind: 'data',
    message: (c: { target: string; codec: string; problem: string; topic: string; partition: number; offset: number }) =>
      `Cannot encode ${c.target} as ${c.codec}, made from the record of ${c.topic} partition ${c.partition} at offset ${c.offset}: ${c.problem}.`,
    advice: 'Correct the function or the codec; the job goes on at this record when it starts again.',
    example: { target: 'a record for sink alerts', codec: 'utf8', problem: 'number came', topic: 'readings', partition: 2, offset: 17 },
  }),
  deadLettersMissing: error({
    code: 'DEAD_LETTERS_MISSING',
    kind: 'invalid',
    message: (c: { topic: string }) => `Cannot replay dead letters of topic "${c.topic}": it does not exist.`,
    advice: 'Name the topic that a job was told to put its bad records into.',
    example: { topic: 'readings-dead' },
  }),
  deadLettersUndecided: error({
    code: 'DEAD_LETTERS_UNDECIDED',
    kind: 'retry',
    message: (c: { topic: string; waitedMs: number }) => `Cannot replay dead letters of topic "${c.topic}": a transaction in it is still open after ${c.waitedMs} ms.`,
    advice: 'Nothing was put back. Find whose transaction it is (kafka-transactions.sh find-hanging), and run the replay again.',
    example: { topic: 'readings-dead', waitedMs: 120_000 },
  }),
  deadLetterHomeless: error({
    code: 'DEAD_LETTER_HOMELESS',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; offset: number; origin: string; originPartition: number; partitions: number }) =>
      `Cannot put back the dead letter in ${c.topic} partition ${c.partition} at offset ${c.offset}: it is of ${c.origin} partition ${c.originPartition}, and that topic ` +
      `${c.partitions === 0 ? 'does not exist' : `has ${c.partitions} partitions`}.`,
    advice: 'Create the topic as it was, or copy the dead letters that you need by hand; what was put back before is not put back again.',
    example: { topic: 'readings-dead', partition: 1, offset: 5, origin: 'readings', originPartition: 3, partitions: 2 },
  }),
  keyNull: error({
    code: 'KEY_NULL',
    kind: 'data',
    message: (c: { operator: string; topic: string; partition: number; offset: number }) =>
      `${c.operator} needs a key, and there is none for the record of ${c.topic} partition ${c.partition} at offset ${c.offset}.`,
    advice: 'Filter such records out before it, or give them a key.',
    example: { operator: 'keyBy', topic: 'readings', partition: 2, offset: 17 },
  }),
  keyElsewhere: error({
    code: 'KEY_ELSEWHERE',
    kind: 'invalid',
    message: (c: { topic: string; partition: number; offset: number; key: string; partitioner: string; expected: string }) =>
      `keyBy on ${c.topic} is declared alreadyPartitioned (${c.partitioner}), and key ${c.key} lies in partition ${c.partition} (offset ${c.offset}), where ${c.expected}.`,
    advice: 'Declare the partitioner that the producer uses, produce with the same key, or drop alreadyPartitioned, so that Weir shuffles.',
    example: { topic: 'readings', partition: 2, offset: 17, key: '"s1"', partitioner: 'murmur2', expected: 'crc32 would put it' },
  }),
  stateOutsideKey: error({
    code: 'STATE_OUTSIDE_KEY',
    kind: 'invalid',
    message: (c: { state: string; operator: string }) => `State ${c.state} of operator ${c.operator} was used while no record is processed, so it has no key.`,
    advice: 'Use keyed state where a keyed record or a timer is processed, not in open, close, a constructor or processBroadcast.',
    example: { state: 'last', operator: 'jump' },
  }),
  metricRegistration: error({
    code: 'METRIC_REGISTRATION',
    kind: 'invalid',
    message: (c: { metric: string; operator: string; problem: string; advice: string }) => `Metric ${show(c.metric)} of operator ${c.operator}: ${c.problem}.`,
    advice: (c) => c.advice,
    example: { metric: 'late', operator: 'jump', problem: 'it is registered twice', advice: 'Register it once, in open.' },
  }),
  hookFailed: error({
    code: 'HOOK_FAILED',
    kind: 'restart-task',
    message: (c: { hook: string; operator: string; problem: string }) => `${c.hook} of operator ${c.operator} failed: ${c.problem}.`,
    advice: 'Correct the function; what the task had not committed is processed again when it starts anew.',
    example: { hook: 'snapshotState', operator: 'batching', problem: 'x is not a function' },
  }),
  timerUnheard: error({
    code: 'TIMER_UNHEARD',
    kind: 'invalid',
    message: (c: { operator: string }) => `Operator ${c.operator} set a timer, and its function has no onTimer.`,
    advice: 'Give it one: functions of process have onTimer(at, out).',
    example: { operator: 'silence' },
  }),
  sideOutputUnread: error({
    code: 'SIDE_OUTPUT_UNREAD',
    kind: 'invalid',
    message: (c: { operator: string; tag: string }) => `Operator ${c.operator} sent a value to side output "${c.tag}", which nothing reads.`,
    advice: 'Make a stream of it: .sideOutput(tag), and end that in a sink; or do not send to it.',
    example: { operator: 'sort', tag: 'late' },
  }),
  broadcastStateReadOnly: error({
    code: 'BROADCAST_STATE_READ_ONLY',
    kind: 'invalid',
    message: (c: { state: string; operator: string }) => `Broadcast state ${c.state} of operator ${c.operator} was written outside processBroadcast.`,
    advice: 'Write it only in processBroadcast, which every task runs alike; keep what belongs to a key in keyed state.',
    example: { state: 'limits', operator: 'limit-check' },
  }),
  stateRegistration: error({
    code: 'STATE_REGISTRATION',
    kind: 'invalid',
    message: (c: { state: string; operator: string; problem: string; advice: string }) => `State ${c.state} of operator ${c.operator}: ${c.problem}.`,
    advice: (c) => c.advice,
    example: { state: 'last', operator: 'jump', problem: 'it is registered twice', advice: 'Register it once, in open.' },
  }),
  stateUnencodable: error({
    code: 'STATE_UNENCODABLE',
    kind: 'data',
    message: (c: { state: string; operator: string; codec: string; problem: string }) =>
      `Cannot encode a value of state ${c.state} of operator ${c.operator} as ${c.codec}: ${c.problem}.`,
    advice: 'Update the state with values that its codec takes.',
    example: { state: 'last', operator: 'jump', codec: 'float64', problem: 'float64 takes a number, and string came' },
  }),
  stateUndecodable: error({
    code: 'STATE_UNDECODABLE',
    kind: 'invalid',
    message: (c: { state: string; operator: string; codec: string; problem: string; bytes: string }) =>
      `Cannot decode a stored value of state ${c.state} of operator ${c.operator} as ${c.codec}: ${c.problem}. Its bytes: ${c.bytes}.`,
    advice: 'Bring the codec back that wrote it; give a codec another version whenever its format changes.',
    example: { state: 'last', operator: 'jump', codec: 'reading', problem: '2 fields', bytes: '"a,b" (3 bytes)' },
  }),
  recordTooLarge: error({
    code: 'RECORD_TOO_LARGE',
    kind: 'invalid',
    message: (c: { what: string; topic: string; partition: number; bytes: number; limit: number; advice: string }) =>
      `${c.what} takes ${c.bytes} bytes, and partition ${c.partition} of ${c.topic} takes at most ${c.limit} (max.message.bytes); nothing of its epoch was sent.`,
    advice: (c) => c.advice,
    example: {
      what: 'An entry of state last of operator jump for key "s1" (2 bytes)',
      topic: 'app-0-0-changelog',
      partition: 2,
      bytes: 10_000_120,
      limit: 8_388_608,
      advice: 'Keep smaller values, in a list or a map for instance, or raise max.message.bytes of the topic.',
    },
  }),
  transactionExpired: error({
    code: 'TRANSACTION_EXPIRED',
    kind: 'restart-task',
    message: (c: { task: string; ageMs: number; timeoutMs: number }) =>
      `The transaction of task ${c.task} was aborted by the log: it was open for ${c.ageMs} ms, and its timeout is ${c.timeoutMs} ms.`,
    advice: 'Nothing is lost, its records are processed again. If this repeats, raise checkpointing.transactionTimeout or give the process more CPU.',
    example: { task: '0-1', ageMs: 61_000, timeoutMs: 60_000 },
  }),
  fencedRepeatedly: error({
    code: 'FENCED_REPEATEDLY',
    kind: 'fenced',
    message: (c: { applicationId: string; task: string; times: number; withinMs: number }) =>
      `Task ${c.task} of application ${c.applicationId} was fenced ${c.times} times within ${c.withinMs} ms: another instance runs with the same applicationId.`,
    advice: 'Run one instance for each applicationId.',
    example: { applicationId: 'alerts', task: '0-1', times: 3, withinMs: 60_000 },
  }),
  restartsExhausted: error({
    code: 'RESTARTS_EXHAUSTED',
    kind: 'invalid',
    message: (c: { task: string; strategy: string }) => `Task ${c.task} failed, and restart strategy ${c.strategy} allows no further restart.`,
    advice: 'See the cause, and start the job again once it is mended.',
    example: { task: '0-1', strategy: 'fixed-delay (3 attempts)' },
  }),
  applicationIdTaken: error({
    code: 'APPLICATION_ID_TAKEN',
    kind: 'invalid',
    message: (c: { changelog: string; job: string; recorded: string }) =>
      `Changelog ${c.changelog} belongs to job ${c.recorded}, and job ${c.job} was started with the same applicationId.`,
    advice: 'Give each job an applicationId of its own.',
    example: { changelog: 'alerts-0-0-changelog-1', job: 'b', recorded: 'a' },
  }),
  membershipLost: error({
    code: 'MEMBERSHIP_LOST',
    kind: 'fenced',
    message: (c: { groupId: string; reason: string }) => `This replica's membership in group ${c.groupId} has ended: ${c.reason}.`,
    advice: 'Drop what was not committed in its name: another replica may own its tasks by now.',
    example: { groupId: 'alerts', reason: 'the group does not know it any more' },
  }),
  ordersUnreadable: error({
    code: 'ORDERS_UNREADABLE',
    kind: 'internal',
    message: (c: { problem: string }) => `The group leader's orders for this replica cannot be understood: ${c.problem}.`,
    advice: 'Run one version of Weir in all replicas of an application, or upgrade them one after the other by no more than one version.',
    example: { problem: 'they are no JSON' },
  }),
  instanceTaken: error({
    code: 'INSTANCE_ID_TAKEN',
    kind: 'fenced',
    message: (c: { groupId: string; instanceId: string }) => `Another process has joined group ${c.groupId} under instance id ${c.instanceId}.`,
    advice: 'Give each replica an instance id of its own; this one stops, for the two would take turns.',
    example: { groupId: 'alerts', instanceId: 'replica-1' },
  }),
  stopTimedOut: error({
    code: 'STOP_TIMED_OUT',
    kind: 'restart-task',
    message: (c: { job: string; deadlineMs: number }) => `Job ${c.job} did not stop within ${c.deadlineMs} ms; what it had not committed is dropped.`,
    advice: 'Nothing is lost: it is processed again at the next start. Give it more time to stop if this repeats.',
    example: { job: 'alerts', deadlineMs: 8_000 },
  }),
  invariantBroken: error({
    code: 'INVARIANT_BROKEN',
    kind: 'internal',
    message: (c: { invariant: string; facts: string }) => `Invariant ${c.invariant} does not hold: ${c.facts}.`,
    advice: 'This is a fault in Weir; please report it with this message.',
    example: { invariant: 'I6', facts: 'position 12 is beyond the end 10' },
  }),
});

/** A value as it came, short enough for a message. */
export function show(value: unknown): string {
  const text = asText(value);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

function asText(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'symbol' || value === undefined) return String(value);
  try {
    return JSON.stringify(value) ?? 'a function';
  } catch {
    return 'an object'; // with a cycle, or with a toJSON that throws
  }
}

/** Bytes for a message: as text where they are printable, else in hexadecimal; at most 200 of them. */
export function showBytes(buffer: Buffer, start: number, end: number): string {
  const length = end - start;
  const shown = buffer.subarray(start, Math.min(end, start + 200));
  const printable = shown.every((byte) => byte >= 0x20 && byte < 0x7f);
  const text = printable ? JSON.stringify(shown.toString('latin1')) : `hex ${shown.toString('hex')}`;
  return `${text}${length > 200 ? '...' : ''} (${length} bytes)`;
}

/** What went wrong, in words, whatever was thrown. */
export const problemOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
