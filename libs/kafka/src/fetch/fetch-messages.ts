import type { AbortedTransaction } from '../batch/aborted-filter.js';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

/**
 * Bodies of Fetch v13, without fetch sessions: every request names all its partitions. Topics go by their ids, so that another topic of the
 * same name is never read by mistake.
 */

export interface FetchPartition {
  readonly topic: string;
  /** 32 hexadecimal digits. */
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly position: number;
  /** Leader epoch of the batch before the position; UNKNOWN_EPOCH asks for no comparison. */
  readonly lastEpoch: number;
  readonly maxBytes: number;
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly lastStable: number;
  readonly start: number;
  /** Where the log parts from what was read before, which it does not hold (any more); undefined if it holds it. */
  readonly divergesAt: number | undefined;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last of which may be cut. A view of the whole answer. */
  readonly records: Buffer;
}

const CONSUMER = -1;
const MIN_BYTES = 1;
const READ_COMMITTED = 1;
const NO_SESSION = 0;
const FINAL_EPOCH = -1;
const UNKNOWN_LOG_START = -1;
const DIVERGING_EPOCH = 0;

export const UNKNOWN_EPOCH = -1;

/** @param partitions in the order in which the broker is to fill its answer */
export function encodeFetch(partitions: readonly FetchPartition[], limits: FetchLimits): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.fetch.flexible);
  out.int32(CONSUMER).int32(limits.maxWaitMs).int32(MIN_BYTES).int32(limits.maxBytes).int8(READ_COMMITTED);
  out.int32(NO_SESSION).int32(FINAL_EPOCH);
  // A topic may come more than once: its partitions keep their place in the order.
  out.array(runsOfOneTopic(partitions), (run) => {
    out
      .uuid(Buffer.from(run[0]!.topicId, 'hex'))
      .array(run, ({ partition, leaderEpoch, position, lastEpoch, maxBytes }) => {
        out.int32(partition).int32(leaderEpoch).int64(position).int32(lastEpoch).int64(UNKNOWN_LOG_START).int32(maxBytes).tags();
      })
      .tags();
  });
  return out.count(0).string('').tags().finish(); // forgotten topics, rack
}

function runsOfOneTopic(partitions: readonly FetchPartition[]): readonly FetchPartition[][] {
  const runs: FetchPartition[][] = [];
  for (const partition of partitions) {
    const run = runs.at(-1);
    if (run?.[0]?.topicId === partition.topicId) run.push(partition);
    else runs.push([partition]);
  }
  return runs;
}

export interface FetchAnswer {
  /** Error of the request as a whole. */
  readonly error: number;
  readonly partitions: readonly FetchedPartition[];
  readonly bytes: number;
}

/** @param asked what the request asked for */
export function decodeFetch(answer: Buffer, asked: readonly FetchPartition[]): FetchAnswer {
  const names = new Map(asked.map(({ topic, topicId }) => [topicId, topic]));
  const from = new ProtocolReader(APIS.fetch, answer);
  from.int32(); // throttle time
  const error = from.int16();
  from.int32(); // session
  const partitions: FetchedPartition[] = [];
  from.array(() => {
    const topic = names.get(from.uuid()) ?? '';
    from.array(() => partitions.push(readPartition(from, topic)));
    from.tags();
  });
  return { error, partitions, bytes: answer.length };
}

function readPartition(from: ProtocolReader, topic: string): FetchedPartition {
  const partition = from.int32();
  const error = from.int16();
  from.int64(); // high watermark
  const lastStable = from.int64();
  const start = from.int64();
  const aborted = from.array(() => {
    const transaction = { producerId: from.int64(), firstOffset: from.int64() };
    from.tags();
    return transaction;
  });
  from.int32(); // preferred replica
  const records = from.bytes();
  let divergesAt: number | undefined;
  from.tags((tag) => {
    if (tag !== DIVERGING_EPOCH) return false;
    from.int32(); // the newest epoch that both have
    divergesAt = from.int64();
    from.tags();
    return true;
  });
  return { topic, partition, error, lastStable, start, divergesAt, aborted, records };
}
