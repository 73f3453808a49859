/**
 * Layout of a record batch, magic 2: the head, 61 bytes, all numbers big-endian; then the records, packed if the attributes say so.
 * Source: Kafka's documentation, "Message Format". Version 2 is the only one since Kafka 0.11, and the only one that 4.x writes.
 */
export const MAGIC = 2;

export const AT = {
  baseOffset: 0,
  /** Bytes that follow this field. */
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** Where the bytes begin that the CRC-32C covers; they reach to the end of the batch. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

/** Bytes before and in the length field: a batch takes this much more than its length says. */
export const LENGTH_PREFIX = AT.leaderEpoch;

export const ATTRIBUTE = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const;

/** A record takes at least this: length, attributes, timestamp, offset, key length, value length, header count, a byte each. */
export const LEAST_RECORD_BYTES = 7;

/** Type in the key of a control record, behind two bytes of version. */
export const ABORT_MARKER = 0;
