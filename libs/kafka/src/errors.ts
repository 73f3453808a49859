import { defineErrors, error, MEMBER_STALE, OFFSET_OUT_OF_RANGE, type OffsetOutOfRange, partitionName, RECORD_TOO_LARGE, type RecordTooLarge } from '@weir/core';

// A type, not an interface: a catalogue's contexts are records with an index signature.
type AtPartition = { readonly topic: string; readonly partition: number };

const at = (c: AtPartition): string => partitionName(c.topic, c.partition);

/** Every error that this library raises. */
export const errors = defineErrors({
  optionInvalid: error({
    code: 'KAFKA_OPTION_INVALID',
    kind: 'invalid',
    message: (c: { option: string; value: unknown; allowed: string }) =>
      `Kafka option ${c.option} is ${JSON.stringify(c.value) ?? 'undefined'}; allowed: ${c.allowed}.`,
    advice: 'Correct the option and start again.',
    example: { option: 'brokers', value: [], allowed: 'a list of at least one host:port' },
  }),
  compressionMissing: error({
    code: 'KAFKA_COMPRESSION_MISSING',
    kind: 'invalid',
    message: (c: { compression: string; node: string }) =>
      `Kafka option compression is ${c.compression}, which Node ${c.node} cannot write.`,
    advice: 'Run on Node 22.15 or later, or use none, gzip, snappy or lz4.',
    example: { compression: 'zstd', node: 'v20.20.0' },
  }),
  unreachable: error({
    code: 'KAFKA_UNREACHABLE',
    kind: 'retry',
    message: (c: { api: string; broker: string; problem: string }) =>
      `${c.api} was not sent: broker ${c.broker} cannot be reached (${c.problem}).`,
    advice: 'Check that the broker runs and that this address leads to it; it is tried again.',
    example: { api: 'Metadata', broker: '127.0.0.1:9092', problem: 'connect ECONNREFUSED' },
  }),
  replyLost: error({
    code: 'KAFKA_REPLY_LOST',
    kind: 'retry',
    message: (c: { api: string; broker: string; problem: string }) =>
      `${c.api} was sent to broker ${c.broker}, and no answer came (${c.problem}): it may have been carried out.`,
    advice: 'Check the broker and the network; it is tried again where that is safe.',
    example: { api: 'EndTxn', broker: '127.0.0.1:9092', problem: 'connection closed' },
  }),
  clientRefused: error({
    code: 'KAFKA_CLIENT_REFUSED',
    kind: 'invalid',
    message: (c: { broker: string; problem: string }) =>
      `Broker ${c.broker} and this client could not agree on a connection: ${c.problem}.`,
    advice: 'Check the options ssl and sasl against the listener of the broker.',
    example: { broker: 'kafka:9093', problem: 'SASL PLAIN mechanism is not supported by the server' },
  }),
  brokerUnsupported: error({
    code: 'KAFKA_BROKER_UNSUPPORTED',
    kind: 'invalid',
    message: (c: { broker: string; api: string; version: number; supported: string }) =>
      `Broker ${c.broker} does not speak ${c.api} version ${c.version}; it speaks ${c.supported}.`,
    advice: 'Weir supports brokers from Kafka 3.9 on.',
    example: { broker: 'kafka:9092', api: 'Metadata', version: 12, supported: '0 to 9' },
  }),
  closed: error({
    code: 'KAFKA_CLOSED',
    kind: 'internal',
    message: (c: { act: string }) => `${c.act} was called after close.`,
    advice: 'Use a Log, reader or writer only until it is closed.',
    example: { act: 'begin of writer app-0-0' },
  }),
  answerDamaged: error({
    code: 'KAFKA_ANSWER_DAMAGED',
    kind: 'data',
    message: (c: { api: string; version: number; problem: string }) =>
      `An answer to ${c.api} version ${c.version} cannot be understood: it has ${c.problem}.`,
    advice: 'Check what stands between this client and the broker; please report it if nothing does.',
    example: { api: 'Fetch', version: 11, problem: 'a field of 70000 bytes at byte 12 of 80' },
  }),
  callRefused: error({
    code: 'KAFKA_CALL_REFUSED',
    kind: 'invalid',
    message: (c: { act: string; object: string; answer: string; detail: string }) =>
      `${c.act} of ${c.object} was refused with ${c.answer}${c.detail === '' ? '' : `: ${c.detail}`}.`,
    advice: 'Check the names, settings and access rights of this client.',
    example: { act: 'Creation', object: 'topic alerts', answer: 'TOPIC_AUTHORIZATION_FAILED (29)', detail: 'Authorization failed.' },
  }),
  callUnanswered: error({
    code: 'KAFKA_CALL_UNANSWERED',
    kind: 'retry',
    message: (c: { act: string; object: string; afterMs: number; last: string }) =>
      `${c.act} of ${c.object} had no success within ${c.afterMs} ms; the last answer was: ${c.last}.`,
    advice: 'Check the state of the cluster; the caller tries again.',
    example: { act: 'InitProducerId', object: 'app-0-0', afterMs: 60_000, last: 'CONCURRENT_TRANSACTIONS (51)' },
  }),
  partitionCountDiffers: error({
    code: 'KAFKA_PARTITION_COUNT_DIFFERS',
    kind: 'invalid',
    message: (c: { topic: string; expected: number; actual: number }) =>
      `Topic ${c.topic} must have ${c.expected} partitions, and it has ${c.actual}.`,
    advice: 'Use another application id, or delete the topic if nothing in it is needed.',
    example: { topic: 'app-0-changelog', expected: 4, actual: 1 },
  }),
  batchDamaged: error({
    code: 'KAFKA_BATCH_DAMAGED',
    kind: 'data',
    message: (c: AtPartition & { offset: number; problem: string }) =>
      `The record batch at offset ${c.offset} of ${at(c)} cannot be understood: ${c.problem}.`,
    advice: 'Look at it with kafka-dump-log on the broker. To go on behind it, move the position past the batch.',
    example: { topic: 'sensor-readings', partition: 3, offset: 4711, problem: 'its CRC-32C is 12345, and its bytes give 54321' },
  }),
  offsetOutOfRange: error({
    code: OFFSET_OUT_OF_RANGE,
    kind: 'invalid',
    message: (c: OffsetOutOfRange) =>
      `Reading ${at(c)} from offset ${c.offset} is not possible: the log holds offsets from ${c.start} to below ${c.end}.`,
    advice: 'The records may have passed their retention, or the topic was made anew: decide where to go on, and raise the retention.',
    example: { topic: 'sensor-readings', partition: 3, offset: 10, start: 200, end: 900 },
  }),
  topicReplaced: error({
    code: 'LOG_TOPIC_REPLACED',
    kind: 'restart-task',
    message: (c: { topic: string; expected: string; found: string }) =>
      `Topic ${c.topic} was deleted and created again while it was read: its id was ${c.expected} and is ${c.found}.`,
    advice: 'Offsets of the former topic mean nothing in the new one; decide where to read from.',
    example: { topic: 'sensor-readings', expected: 'a1', found: 'b2' },
  }),
  deletionOutOfRange: error({
    code: 'LOG_DELETION_OUT_OF_RANGE',
    kind: 'invalid',
    message: (c: AtPartition & { offset: number; answer: string }) =>
      `Deletion of the records of ${at(c)} below offset ${c.offset} was refused with ${c.answer}: the log does not reach that far.`,
    advice: 'Only what was read can be deleted; compare the offset with the end of the partition.',
    example: { topic: 'app-0-by-site-repartition', partition: 3, offset: 300, answer: 'OFFSET_OUT_OF_RANGE (1)' },
  }),
  readingStuck: error({
    code: 'KAFKA_READING_STUCK',
    kind: 'restart-task',
    message: (c: AtPartition & { offset: number; afterMs: number; last: string }) =>
      `Reading ${at(c)} from offset ${c.offset} has had no success for ${c.afterMs} ms; the last problem was: ${c.last}.`,
    advice: 'Check that the partition has a leader, and that this client can reach it.',
    example: { topic: 'sensor-readings', partition: 3, offset: 10, afterMs: 120_000, last: 'NOT_LEADER_OR_FOLLOWER (6)' },
  }),
  readerMisused: error({
    code: 'KAFKA_READER_MISUSED',
    kind: 'internal',
    message: (c: AtPartition & { act: string }) => `${c.act} of ${at(c)} was called, which is not assigned to this reader.`,
    advice: 'Assign the partition first; please report it.',
    example: { act: 'pause', topic: 'sensor-readings', partition: 3 },
  }),
  recordTooLarge: error({
    code: RECORD_TOO_LARGE,
    kind: 'invalid',
    message: (c: RecordTooLarge) =>
      `Record ${c.row} for ${at(c)} takes ${c.bytes} bytes in its batch, and the topic allows ${c.limit} (max.message.bytes).`,
    advice: 'Raise max.message.bytes of the topic, or make the records smaller.',
    example: { topic: 'temperature-alerts', partition: 3, row: 0, bytes: 2_000_000, limit: 1_048_588 },
  }),
  appendRefused: error({
    code: 'KAFKA_APPEND_REFUSED',
    kind: 'invalid',
    message: (c: AtPartition & { answer: string; detail: string }) =>
      `Records for ${at(c)} were refused with ${c.answer}${c.detail === '' ? '' : `: ${c.detail}`}.`,
    advice: 'Check the settings of the topic (a compacted one takes no null keys) and the access rights of this client.',
    example: {
      topic: 'app-0-changelog',
      partition: 3,
      answer: 'INVALID_RECORD (87)',
      detail: 'Compacted topic cannot accept message without key',
    },
  }),
  appendUncertain: error({
    code: 'KAFKA_APPEND_UNCERTAIN',
    kind: 'retry',
    message: (c: { act: string; problem: string }) => `${c.act} outside of a transaction failed: ${c.problem}. Its records may be there, or not.`,
    advice: 'Check the state of the cluster; the caller appends again.',
    example: { act: 'Produce', problem: 'no success within 30000 ms, the last answer was NOT_ENOUGH_REPLICAS (19)' },
  }),
  transactionFailed: error({
    code: 'KAFKA_TRANSACTION_FAILED',
    kind: 'restart-task',
    message: (c: { transactionalId: string; act: string; problem: string }) =>
      `${c.act} in the transaction of ${c.transactionalId} failed: ${c.problem}.`,
    advice: 'The transaction is aborted and its work done again; check the cluster if this repeats.',
    example: {
      transactionalId: 'app-0-0',
      act: 'Produce',
      problem: 'no success within 30000 ms, the last answer was NOT_ENOUGH_REPLICAS (19)',
    },
  }),
  transactionMisused: error({
    code: 'KAFKA_TRANSACTION_MISUSED',
    kind: 'internal',
    message: (c: { transactionalId: string; act: string; state: string }) =>
      `${c.act} was called on a transaction of ${c.transactionalId} that is ${c.state}.`,
    advice: 'Please report it.',
    example: { transactionalId: 'app-0-0', act: 'append', state: 'committed' },
  }),
  notCommitted: error({
    code: 'KAFKA_NOT_COMMITTED',
    kind: 'restart-task',
    message: (c: { transactionalId: string; answer: string }) =>
      `The commit of ${c.transactionalId} was refused with ${c.answer}: nothing of it is visible.`,
    advice: 'The task starts again from its last commit.',
    example: { transactionalId: 'app-0-0', answer: 'INVALID_TXN_STATE (48)' },
  }),
  writerFenced: error({
    code: 'KAFKA_WRITER_FENCED',
    kind: 'fenced',
    message: (c: { transactionalId: string; act: string; answer: string }) =>
      `${c.act} of writer ${c.transactionalId} was refused with ${c.answer}: another writer has taken the id, or its transaction expired.`,
    advice: 'If nobody else writes with this id, raise the transaction timeout, or look for what stopped this process for so long.',
    example: { transactionalId: 'app-0-0', act: 'EndTxn', answer: 'PRODUCER_FENCED (90)' },
  }),
  outcomeUnknown: error({
    code: 'KAFKA_COMMIT_OUTCOME_UNKNOWN',
    kind: 'fenced',
    message: (c: { transactionalId: string; last: string }) =>
      `Writer ${c.transactionalId} was closed while its commit had no definite answer (the last was: ${c.last}).`,
    advice: 'The next owner of the id reads from the log whether it was committed.',
    example: { transactionalId: 'app-0-0', last: 'broker 127.0.0.1:9092 cannot be reached' },
  }),
  memberStale: error({
    code: MEMBER_STALE,
    kind: 'fenced',
    message: (c: { groupId: string; memberId: string; generation: number; answer: string }) =>
      `Offsets of group ${c.groupId} were refused with ${c.answer}: member "${c.memberId}" of generation ${c.generation} is not current.`,
    advice: 'Another member may own the partitions by now; go on only with the present generation.',
    example: { groupId: 'temperature-alerts', memberId: 'replica-1', generation: 7, answer: 'ILLEGAL_GENERATION (22)' },
  }),
});
