import { partitionName, type PartitionOffset } from '@weir/core';
import { errors } from '../errors.js';
import { judgeCode, type Attempt, type Cluster } from '../wire/cluster.js';
import { CODE, codeName, isStaleLeader } from '../wire/error-codes.js';
import { APIS } from '../wire/wire.js';
import { decodeDeleteRecords, encodeDeleteRecords, type Deletion } from './deletions-messages.js';

/**
 * How long a broker may wait for the other replicas of its partitions before it answers. Short, because the connection that metadata and
 * positions are asked on waits with it.
 */
const REPLICAS_WAIT_MS = 1_000;

/**
 * Deletions: gives up the beginnings of partitions, asked of their leaders. A request may be repeated: a partition's start only grows.
 *
 * A leader moves its own start first, then waits until its replicas have followed. If that takes too long it says REQUEST_TIMED_OUT, which
 * counts as done: the records are gone for every reader, and the replicas drop them with their next fetches.
 */
export class Deletions {
  constructor(
    private readonly cluster: Cluster,
    private readonly withinMs: number,
  ) {}

  /** See Log.deleteRecordsBefore. */
  async before(partitions: readonly PartitionOffset[]): Promise<void> {
    if (partitions.length === 0) return;
    const left = new Map(partitions.map((at) => [partitionName(at.topic, at.partition), at]));
    await this.cluster.retrying('DeleteRecords', [...left.keys()].join(', '), this.withinMs, () => this.#once(left));
  }

  /** Takes out of `left` what is done. */
  async #once(left: Map<string, PartitionOffset>): Promise<Attempt<true>> {
    const groups = await this.cluster.byLeader([...left.values()]);
    if (groups === undefined) return { again: 'a partition does not exist, or has no leader' };
    let again: string | undefined;
    await Promise.all(
      [...groups].map(async ([node, group]) => {
        for (const deletion of await this.#send(node, group)) {
          const name = partitionName(deletion.topic, deletion.partition);
          const at = left.get(name);
          const problem = at === undefined ? undefined : this.#judge(at, deletion.error);
          if (problem === undefined) left.delete(name);
          again = problem ?? again;
        }
      }),
    );
    if (left.size === 0) return { done: true };
    return { again: again ?? 'a partition is missing in the answer' };
  }

  /** Why to ask again; undefined if it is done. @throws WeirError `invalid` */
  #judge(at: PartitionOffset, code: number): string | undefined {
    if (code === CODE.NONE || code === CODE.REQUEST_TIMED_OUT) return undefined;
    if (code === CODE.OFFSET_OUT_OF_RANGE) throw errors.deletionOutOfRange({ ...at, answer: codeName(code) });
    if (code === CODE.POLICY_VIOLATION) {
      const detail = 'the cleanup.policy of the topic does not say delete';
      throw errors.callRefused({ act: 'DeleteRecords', object: partitionName(at.topic, at.partition), answer: codeName(code), detail });
    }
    if (isStaleLeader(code)) this.cluster.forgetLeader(at.topic, at.partition);
    return judgeCode('DeleteRecords', at, code).again;
  }

  async #send(node: number, group: readonly PartitionOffset[]): Promise<readonly Deletion[]> {
    try {
      const body = encodeDeleteRecords(group, REPLICAS_WAIT_MS);
      return decodeDeleteRecords(await this.cluster.wire.send(node, 'control', APIS.deleteRecords, body));
    } catch (thrown) {
      // The leader may have moved; ask for metadata before the next attempt.
      for (const { topic, partition } of group) this.cluster.forgetLeader(topic, partition);
      throw thrown;
    }
  }
}
