import { NO_GENERATION, offset, partitionName, type Generation, type GroupMembership, type PartitionOffset } from '@weir/core';
import { errors } from '../errors.js';

/** Present generation and members of a consumer group, as its broker knows them. */
export interface GroupState {
  readonly generation: Generation;
  readonly members: readonly string[];
}

/**
 * Consumer groups, as far as committing needs them: who is a member, in which generation, and which offsets are committed.
 * Specs set the membership; offsets come through transactions alone.
 */
export class ConsumerGroups {
  readonly #groups = new Map<string, GroupState>();
  readonly #offsets = new Map<string, Map<string, PartitionOffset>>();

  set(groupId: string, state: GroupState): void {
    this.#groups.set(groupId, state);
  }

  /**
   * Checks a commit as a broker does (TxnOffsetCommit from version 3 on). Without generation and member id it is always let
   * through, even while the group has members: only the transactional id protects such a writer.
   * @throws WeirError `fenced` LOG_MEMBER_STALE
   */
  check({ groupId, generation, memberId }: GroupMembership): void {
    if (generation === NO_GENERATION && memberId === '') return;
    const { generation: current, members } = this.#groups.get(groupId) ?? { generation: NO_GENERATION, members: [] };
    if (generation < 0 && members.length === 0) return;
    const refuse = (expected: string): never => {
      throw errors.generationStale({ groupId, generation, memberId, expected });
    };
    if (!members.includes(memberId)) refuse(members.length === 0 ? 'it has no members' : `its members are ${members.join(', ')}`);
    if (generation !== current) refuse(`its generation is ${current}`);
  }

  commit(groupId: string, offsets: readonly PartitionOffset[]): void {
    const committed = this.#offsets.get(groupId) ?? new Map<string, PartitionOffset>();
    this.#offsets.set(groupId, committed);
    for (const at of offsets) committed.set(partitionName(at.topic, at.partition), at);
  }

  committed(groupId: string): readonly PartitionOffset[] {
    return [...(this.#offsets.get(groupId)?.values() ?? [])]
      .map((at) => ({ topic: at.topic, partition: at.partition, offset: offset(at.offset) }))
      .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  }
}
