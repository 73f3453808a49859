import { isWeirError, offset, partitionName, type Append, type AppendResult, type TopicPartition, type WeirError } from '@weir/core';
import { AT } from '../batch/batch-format.js';
import { encodeBatch, rowsAbove } from '../batch/batch-encoder.js';
import { errors } from '../errors.js';
import type { KafkaSettings } from '../options.js';
import { Backoff } from '../wire/backoff.js';
import type { Cluster } from '../wire/cluster.js';
import { CODE, codeName, isFenced, isPassing, isStaleLeader } from '../wire/error-codes.js';
import type { Api, Role } from '../wire/wire.js';
import type { BatchLimits } from './batch-limits.js';
import type { PartitionSequences } from './partition-sequences.js';
import { decodeProduce, encodeProduce, type ProducerIdentity, type ProduceResult } from './transaction-messages.js';

/**
 * Appender: brings the records of one `append` to the leaders of their partitions. It owns batches on their way, their order and
 * their retries. It does not own the transaction, if there is one: partitions were added to it before.
 *
 * Rounds, until every batch is acknowledged:
 *  1. Per partition take the batches that are not acknowledged, then cut new ones, up to WINDOW in all.
 *  2. Put them into requests: request i to a broker has the i-th batch of each partition that it leads (Kafka takes one batch per
 *     partition and request), and requests end at REQUEST_BYTES.
 *  3. Send them in that order down one connection per broker, without waiting for one another, and wait for all answers.
 *  4. Keep what was not acknowledged for the next round, in its order, with the same sequence numbers: the broker knows a batch
 *     that it already has, as long as it is one of the last five (hence WINDOW).
 *
 * Invariants:
 * - D1. A batch keeps its bytes, and so its sequence number, until it is acknowledged or the append has failed.
 * - D2. Batches of a partition are sent in the order of their sequence numbers; one behind a batch that failed in the same round may be
 *   answered with OUT_OF_ORDER_SEQUENCE_NUMBER, and is sent again behind it.
 * - D3. The first batch of a producer for a partition goes alone. A leader that knows nothing of the producer takes any sequence number
 *   for the first: were the first batch refused (the leader is not ready yet) and the second taken, they would have changed places.
 *   From then on it refuses the second until it has the first (D2). Seen on Kafka 4.3 with topics that were just created.
 * - D4. A record that is too large is found before anything of the append is sent.
 */
const WINDOW = 4;
const REQUEST_BYTES = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;

/** In whose name batches are written. */
export interface BatchProducer {
  /** Null outside of transactions. */
  readonly transactionalId: string | null;
  readonly identity: ProducerIdentity;
  readonly sequences: PartitionSequences;
  readonly produceCall: Api;
  /** The connections that this producer uses. */
  readonly role: Role;
  /** A batch may still be on its way, or its sequence number is used up: the identity must be renewed before it writes again. */
  taint(): void;
  /** Takes note that it was fenced. @returns the error to throw */
  fence(act: string, code: number): WeirError;
  /** What to throw for a failure after which nothing is certain but that the identity must be renewed. */
  failed(act: string, problem: string, cause?: unknown): WeirError;
}

interface Batch {
  readonly append: number;
  readonly bytes: Buffer;
  readonly rows: number;
}

/** The way of one partition: its appends in order, and how far they got. */
interface Lane extends TopicPartition {
  readonly name: string;
  readonly limit: number;
  /** Whether the log has told the limit. */
  readonly limitKnown: boolean;
  /** Indices of the appends for this partition that are not wholly cut. */
  readonly left: number[];
  /** First row of the first of them that is not cut. */
  row: number;
  /** Cut, and not acknowledged, in order. */
  pending: Batch[];
}

interface Sent {
  readonly node: number;
  readonly parts: readonly { readonly lane: Lane; readonly batch: Batch }[];
  readonly answer: Promise<Buffer>;
}

interface Placed {
  firstOffset: number;
  nextOffset: number;
  leaderEpoch: number;
}

export class Appender {
  readonly #placed: (Placed | undefined)[];
  readonly #lanes: readonly Lane[];
  #failure: WeirError | undefined;
  #last = '';

  constructor(
    private readonly cluster: Cluster,
    private readonly producer: BatchProducer,
    private readonly settings: KafkaSettings,
    private readonly appends: readonly Append[],
    limits: ReadonlyMap<string, BatchLimits>,
    /** Told of a batch that the broker refused for its size. */
    private readonly onRefused: (topic: string, batchBytes: number) => void,
  ) {
    this.#placed = appends.map(() => undefined);
    this.#lanes = lanesOf(appends, limits);
    for (const lane of this.#lanes) this.#checkSizes(lane, limits.get(lane.topic)!);
  }

  /** D4. Measures as if nothing were packed first, since that takes a look at each row only. */
  #checkSizes(lane: Lane, { bytes: limit, isKnown }: BatchLimits): void {
    if (!isKnown) return;
    for (const index of lane.left) {
      const { records } = this.appends[index]!;
      for (const row of rowsAbove(records, limit - AT.records)) {
        const { bytes } = encodeBatch(records, row, 0, this.settings.compression, this.#batchProducer(lane));
        const { topic, partition } = lane;
        if (bytes.length > limit) throw errors.recordTooLarge({ topic, partition, row, bytes: bytes.length, limit });
      }
    }
  }

  #batchProducer({ name }: Lane): Parameters<typeof encodeBatch>[4] {
    const { producerId, producerEpoch } = this.producer.identity;
    return { producerId, producerEpoch, sequence: this.producer.sequences.next(name), transactional: this.producer.transactionalId !== null };
  }

  /** @param withinMs how long the batches may take in all; after it the append has failed */
  async run(withinMs: number): Promise<readonly AppendResult[]> {
    const { clock } = this.cluster;
    const started = clock.monotonic();
    const backoff = new Backoff(clock, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      const lanes = this.#lanes.filter((lane) => this.#fill(lane));
      if (lanes.length === 0) return this.#results();
      const progressed = await this.#round(lanes);
      if (this.#failure !== undefined) {
        this.producer.taint();
        throw this.#failure;
      }
      if (progressed) {
        backoff.reset();
        continue;
      }
      const afterMs = Math.round(clock.monotonic() - started);
      if (afterMs >= withinMs || this.cluster.isClosed) {
        this.producer.taint();
        const problem = `no success within ${afterMs} ms, the last answer was ${this.#last}`;
        throw this.producer.failed('Produce', problem);
      }
      await backoff.pause();
    }
  }

  #results(): readonly AppendResult[] {
    return this.appends.map(({ topic, partition }, i) => {
      const placed = this.#placed[i] ?? { firstOffset: 0, nextOffset: 0, leaderEpoch: -1 };
      return {
        topic,
        partition,
        firstOffset: offset(placed.firstOffset),
        nextOffset: offset(placed.nextOffset),
        leaderEpoch: placed.leaderEpoch,
      };
    });
  }

  /** Step 1. @returns whether the lane has anything to send */
  #fill(lane: Lane): boolean {
    const window = this.producer.sequences.isEstablished(lane.name) ? WINDOW : 1; // D3
    while (lane.pending.length < window && lane.left.length > 0) {
      const append = lane.left[0]!;
      const { records } = this.appends[append]!;
      const { bytes, rows } = this.#cut(lane, append);
      this.producer.sequences.advance(lane.name, rows);
      lane.pending.push({ append, bytes, rows });
      lane.row += rows;
      if (lane.row < records.count) continue;
      lane.left.shift();
      lane.row = 0;
    }
    return lane.pending.length > 0;
  }

  /** Cuts the next batch of a lane. Packed bytes may turn out larger than the records: then fewer rows go into it. */
  #cut(lane: Lane, append: number): { bytes: Buffer; rows: number } {
    const { compression, batchBytes } = this.settings;
    const { records } = this.appends[append]!;
    for (let target = Math.min(batchBytes, lane.limit); ; target = Math.floor(target / 2)) {
      const batch = encodeBatch(records, lane.row, target, compression, this.#batchProducer(lane));
      if (batch.bytes.length <= lane.limit || batch.rows === 1) return batch;
    }
  }

  /** Steps 2 to 4. @returns whether a batch was acknowledged */
  async #round(lanes: readonly Lane[]): Promise<boolean> {
    let groups: ReadonlyMap<number, readonly Lane[]> | undefined;
    try {
      groups = await this.cluster.byLeader(lanes);
      this.#last = 'a partition does not exist, or has no leader';
    } catch (thrown) {
      if (!isWeirError(thrown, 'retry')) throw thrown;
      this.#last = thrown.message;
    }
    if (groups === undefined) return false;
    const sent: Sent[] = [];
    for (const [node, group] of groups) this.#sendTo(node, group, sent);
    const failed = new Set<Lane>();
    let progressed = false;
    for (const request of sent) if (await this.#settle(request, failed)) progressed = true;
    return progressed;
  }

  #sendTo(node: number, lanes: readonly Lane[], sent: Sent[]): void {
    for (let depth = 0; depth < WINDOW; depth++) {
      let parts: { lane: Lane; batch: Batch }[] = [];
      let bytes = 0;
      for (const lane of lanes) {
        const batch = lane.pending[depth];
        if (batch === undefined) continue;
        if (bytes > 0 && bytes + batch.bytes.length > REQUEST_BYTES) {
          sent.push(this.#send(node, parts));
          parts = [];
          bytes = 0;
        }
        parts.push({ lane, batch });
        bytes += batch.bytes.length;
      }
      if (parts.length > 0) sent.push(this.#send(node, parts));
    }
  }

  #send(node: number, parts: Sent['parts']): Sent {
    const { transactionalId, role, produceCall } = this.producer;
    const batches = parts.map(({ lane, batch }) => ({ topic: lane.topic, partition: lane.partition, bytes: batch.bytes }));
    const body = encodeProduce(produceCall, transactionalId, this.settings.requestTimeoutMs, batches);
    const answer = this.cluster.wire.send(node, role, produceCall, body);
    answer.catch(() => undefined); // it is looked at later, in its turn
    return { node, parts, answer };
  }

  async #settle({ parts, answer }: Sent, failed: Set<Lane>): Promise<boolean> {
    let results: readonly ProduceResult[];
    try {
      results = decodeProduce(this.producer.produceCall, await answer);
    } catch (thrown) {
      if (!isWeirError(thrown, 'retry')) {
        this.#failure ??= this.producer.failed('Produce', String(thrown), thrown);
        return false;
      }
      // The batches may have arrived; they are sent again as they are (D1), and a late copy is kept out of the next transaction.
      if (thrown.code === 'KAFKA_REPLY_LOST') this.producer.taint();
      this.#last = thrown.message;
      for (const { lane } of parts) {
        failed.add(lane);
        this.cluster.forgetLeader(lane.topic, lane.partition);
      }
      return false;
    }
    let progressed = false;
    for (const { lane, batch } of parts) {
      const result = results.find(({ topic, partition }) => topic === lane.topic && partition === lane.partition);
      if (result !== undefined && result.error === CODE.NONE && !failed.has(lane)) {
        this.#acknowledge(lane, batch, result.baseOffset);
        progressed = true;
      } else if (result !== undefined && result.error !== CODE.NONE) {
        this.#judge(lane, batch, result, failed.has(lane));
        failed.add(lane);
      } else failed.add(lane);
    }
    return progressed;
  }

  #acknowledge(lane: Lane, batch: Batch, baseOffset: number): void {
    lane.pending = lane.pending.filter((other) => other !== batch);
    this.producer.sequences.establish(lane.name);
    const leaderEpoch = this.cluster.leader(lane.topic, lane.partition)?.epoch ?? -1;
    const placed = (this.#placed[batch.append] ??= { firstOffset: baseOffset, nextOffset: baseOffset, leaderEpoch });
    placed.nextOffset = baseOffset + batch.rows;
    placed.leaderEpoch = leaderEpoch;
  }

  #judge(lane: Lane, { bytes, rows }: Batch, { topic, partition, error, detail }: ProduceResult, behindFailed: boolean): void {
    this.#last = codeName(error);
    const isTooLarge = TOO_LARGE.has(error);
    // The next attempt cuts smaller batches, or refuses the record by name (D4).
    const mayFitNext = isTooLarge && (rows > 1 || lane.limitKnown);
    if (isTooLarge) this.onRefused(topic, bytes.length);
    if (isFenced(error)) this.#failure ??= this.producer.fence('Produce', error);
    else if (isStaleLeader(error)) this.cluster.forgetLeader(lane.topic, lane.partition);
    else if (isPassing(error) || AGAIN.has(error)) return;
    else if (error === CODE.OUT_OF_ORDER_SEQUENCE_NUMBER && behindFailed)
      return; // D2
    else if (REFUSALS.has(error) && !mayFitNext) this.#failure ??= errors.appendRefused({ topic, partition, answer: codeName(error), detail });
    else {
      const problem = `${partitionName(topic, partition)} answered ${codeName(error)}${detail === '' ? '' : `: ${detail}`}`;
      this.#failure ??= this.producer.failed('Produce', problem);
    }
  }
}

/**
 * The batch was damaged on its way; or, where Produce adds its partition to the transaction, the coordinator is still busy with the
 * transaction before, or not known to the leader now.
 */
const AGAIN = new Set<number>([CODE.CORRUPT_MESSAGE, CODE.CONCURRENT_TRANSACTIONS, CODE.COORDINATOR_NOT_AVAILABLE, CODE.NOT_COORDINATOR]);
const INVALID_TIMESTAMP = 32;
const INVALID_REQUIRED_ACKS = 21;
const POLICY_VIOLATION = 44;
const UNSUPPORTED_COMPRESSION_TYPE = 76;
const TOO_LARGE = new Set<number>([CODE.MESSAGE_TOO_LARGE, CODE.RECORD_LIST_TOO_LARGE]);
/** Records that the log will never take. */
const REFUSALS = new Set<number>([
  ...TOO_LARGE,
  CODE.INVALID_RECORD,
  CODE.TOPIC_AUTHORIZATION_FAILED,
  CODE.INVALID_TOPIC_EXCEPTION,
  INVALID_TIMESTAMP,
  INVALID_REQUIRED_ACKS,
  POLICY_VIOLATION,
  UNSUPPORTED_COMPRESSION_TYPE,
]);

function lanesOf(appends: readonly Append[], limits: ReadonlyMap<string, BatchLimits>): readonly Lane[] {
  const lanes = new Map<string, Lane>();
  appends.forEach(({ topic, partition, records }, index) => {
    if (records.count === 0) return;
    const name = partitionName(topic, partition);
    let lane = lanes.get(name);
    if (lane === undefined) {
      const { bytes, isKnown } = limits.get(topic)!;
      lane = { topic, partition, name, limit: bytes, limitKnown: isKnown, left: [], row: 0, pending: [] };
      lanes.set(name, lane);
    }
    lane.left.push(index);
  });
  return [...lanes.values()];
}
