import type { AbortedTransaction } from '../batch/aborted-filter.js';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

/** Bodies of Fetch v11, without fetch sessions: every request names all its partitions. */

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly position: number;
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

/** @param partitions in the order in which the broker is to fill its answer */
export function encodeFetch(partitions: readonly FetchPartition[], limits: FetchLimits): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.fetch.flexible);
  out.int32(CONSUMER).int32(limits.maxWaitMs).int32(MIN_BYTES).int32(limits.maxBytes).int8(READ_COMMITTED);
  out.int32(NO_SESSION).int32(FINAL_EPOCH);
  // A topic may come more than once: its partitions keep their place in the order.
  out.array(runsOfOneTopic(partitions), (run) => {
    out.string(run[0]!.topic).array(run, ({ partition, leaderEpoch, position, maxBytes }) => {
      out.int32(partition).int32(leaderEpoch).int64(position).int64(UNKNOWN_LOG_START).int32(maxBytes);
    });
  });
  return out.count(0).string('').finish(); // forgotten topics, rack
}

function runsOfOneTopic(partitions: readonly FetchPartition[]): readonly FetchPartition[][] {
  const runs: FetchPartition[][] = [];
  for (const partition of partitions) {
    const run = runs.at(-1);
    if (run?.[0]?.topic === partition.topic) run.push(partition);
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

export function decodeFetch(answer: Buffer): FetchAnswer {
  const from = new ProtocolReader(APIS.fetch, answer);
  from.int32(); // throttle time
  const error = from.int16();
  from.int32(); // session
  const partitions: FetchedPartition[] = [];
  from.array(() => {
    const topic = from.string();
    from.array(() => partitions.push(readPartition(from, topic)));
  });
  return { error, partitions, bytes: answer.length };
}

function readPartition(from: ProtocolReader, topic: string): FetchedPartition {
  const partition = from.int32();
  const error = from.int16();
  from.int64(); // high watermark
  const lastStable = from.int64();
  from.int64(); // log start
  const aborted = from.array(() => ({ producerId: from.int64(), firstOffset: from.int64() }));
  from.int32(); // preferred replica
  return { topic, partition, error, lastStable, aborted, records: from.bytes() };
}
