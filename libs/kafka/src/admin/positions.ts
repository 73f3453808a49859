import { offset, partitionName, type Offset, type PartitionEnds, type TopicPartition } from '@weir/core';
import { judgeCode, type Attempt, type Cluster } from '../wire/cluster.js';
import { CODE, isStaleLeader } from '../wire/error-codes.js';
import { APIS } from '../wire/wire.js';
import {
  decodeEpochEnd,
  decodeListOffsets,
  encodeEpochEnd,
  encodeListOffsets,
  type ListedOffset,
  type Which,
} from './positions-messages.js';

/**
 * Positions: where partitions begin and end, asked of their leaders.
 *
 * The high watermark is asked for after the last stable offset, so that `lastStable <= highWatermark` holds in what is returned
 * although the log moves on between the two.
 */
export class Positions {
  constructor(
    private readonly cluster: Cluster,
    private readonly withinMs: number,
  ) {}

  /** @throws WeirError `retry` if a partition has no leader, or does not exist, for too long */
  async ends(partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]> {
    const starts = await this.list('earliest', partitions);
    const stable = await this.list('last stable', partitions);
    const marks = await this.list('high watermark', partitions);
    return partitions.map(({ topic, partition }, i) => ({
      topic,
      partition,
      start: offset(starts[i]!.offset),
      lastStable: offset(stable[i]!.offset),
      highWatermark: offset(marks[i]!.offset),
      leaderEpoch: marks[i]!.leaderEpoch,
    }));
  }

  /** One kind of offset per partition, in the order asked for. */
  async list(which: Which, partitions: readonly TopicPartition[]): Promise<readonly ListedOffset[]> {
    const found = new Map<string, ListedOffset>();
    const name = partitions.map((p) => partitionName(p.topic, p.partition)).join(', ');
    await this.cluster.retrying(`ListOffsets (${which})`, name, this.withinMs, async () => {
      const left = partitions.filter((p) => !found.has(partitionName(p.topic, p.partition)));
      return this.#listOnce(which, left, found);
    });
    return partitions.map((p) => found.get(partitionName(p.topic, p.partition))!);
  }

  async #listOnce(which: Which, partitions: readonly TopicPartition[], found: Map<string, ListedOffset>): Promise<Attempt<true>> {
    const { cluster } = this;
    const groups = await cluster.byLeader(partitions);
    if (groups === undefined) return { again: 'a partition does not exist, or has no leader' };
    let again: string | undefined;
    await Promise.all(
      [...groups].map(async ([node, group]) => {
        const led = group.map((p) => ({ ...p, leaderEpoch: cluster.leader(p.topic, p.partition)?.epoch ?? -1 }));
        const answer = await this.#send(node, which, led);
        for (const listed of answer) {
          if (listed.error === CODE.NONE) found.set(partitionName(listed.topic, listed.partition), listed);
          else {
            if (isStaleLeader(listed.error)) cluster.forgetLeader(listed.topic, listed.partition);
            ({ again } = judgeCode('ListOffsets', listed, listed.error));
          }
        }
      }),
    );
    if (again === undefined && partitions.some((p) => !found.has(partitionName(p.topic, p.partition)))) again = 'a partition is missing in the answer';
    return again === undefined ? { done: true } : { again };
  }

  async #send(node: number, which: Which, partitions: Parameters<typeof encodeListOffsets>[1]): Promise<readonly ListedOffset[]> {
    try {
      return decodeListOffsets(await this.cluster.wire.send(node, 'control', APIS.listOffsets, encodeListOffsets(which, partitions)));
    } catch (thrown) {
      // The leader may have moved; ask for metadata before the next attempt.
      for (const { topic, partition } of partitions) this.cluster.forgetLeader(topic, partition);
      throw thrown;
    }
  }

  /** See Log.epochEnd. Kafka answers with the newest epoch at or before the one asked for; another one means that ours is unknown. */
  async epochEnd(at: TopicPartition, leaderEpoch: number): Promise<Offset | undefined> {
    const { cluster } = this;
    const { topic, partition } = at;
    const end = await cluster.retrying('OffsetForLeaderEpoch', partitionName(topic, partition), this.withinMs, async () => {
      const groups = await cluster.byLeader([at]);
      const leader = cluster.leader(topic, partition);
      if (groups === undefined || leader === undefined) return { again: 'the partition does not exist, or has no leader' };
      const body = encodeEpochEnd({ topic, partition, leaderEpoch: leader.epoch }, leaderEpoch);
      const answer = decodeEpochEnd(await cluster.wire.send(leader.node, 'control', APIS.offsetForLeaderEpoch, body));
      if (answer.error === CODE.NONE) return { done: answer };
      cluster.forgetLeader(topic, partition);
      return judgeCode('OffsetForLeaderEpoch', at, answer.error);
    });
    if (end.leaderEpoch !== leaderEpoch || end.endOffset < 0) return undefined;
    // For the present epoch Kafka answers with the end of the leader's log, which may not be replicated yet.
    const [mark] = await this.list('high watermark', [at]);
    return offset(Math.min(end.endOffset, mark!.offset));
  }
}
