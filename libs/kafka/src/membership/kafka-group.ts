import {
  generation,
  isWeirError,
  openGroupSession,
  type GroupCalls,
  type GroupMember,
  type GroupMembership,
  type GroupOptions,
  type HeartbeatAnswer,
  type JoinAnswer,
  type JoinRequest,
  type MemberShare,
  type Refusal,
  type SyncAnswer,
} from '@weir/core';
import { errors } from '../errors.js';
import type { Cluster } from '../wire/cluster.js';
import { CODE, codeName, isPassing, isStaleCoordinator } from '../wire/error-codes.js';
import { decodeErrorAlone } from '../transaction/transaction-messages.js';
import { APIS, type Api, type Role } from '../wire/wire.js';
import { assignmentData, encodeAssignment, encodeSubscription, subscriptionData } from './consumer-protocol.js';
import {
  decodeJoinGroup,
  decodeLeaveGroup,
  decodeSyncGroup,
  encodeHeartbeat,
  encodeJoinGroup,
  encodeLeaveGroup,
  encodeSyncGroup,
} from './membership-messages.js';

/**
 * The group protocol on Kafka: what the session in core asks, as requests to the group's coordinator. It owns finding the coordinator and
 * the meaning of its error codes. It keeps nothing between two calls.
 *
 * A join or a sync is held by the broker until the others are there, and holds its connection with it. So each membership has a
 * connection of its own, on which it asks one thing at a time, and a leave, which must not wait, goes another way.
 */
export function joinKafkaGroup(cluster: Cluster, options: GroupOptions, role: Role): GroupMember {
  return openGroupSession(new KafkaGroup(cluster, options, role), options, cluster.clock);
}

/** How much longer than the broker may hold a request its answer may take. */
const HELD_MARGIN_MS = 5_000;
const UNKNOWN_SERVER_ERROR = -1;

class KafkaGroup implements GroupCalls {
  constructor(
    private readonly cluster: Cluster,
    private readonly options: GroupOptions,
    private readonly role: Role,
  ) {}

  join({ memberId, data }: JoinRequest): Promise<JoinAnswer> {
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, topics } = this.options;
    const subscription = encodeSubscription(topics, data);
    const body = encodeJoinGroup({ groupId, memberId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, subscription });
    return this.#ask(APIS.joinGroup, body, rebalanceTimeoutMs + HELD_MARGIN_MS, (answer): JoinAnswer => {
      const joined = decodeJoinGroup(answer);
      if (joined.error === CODE.MEMBER_ID_REQUIRED) return { type: 'named', memberId: joined.memberId };
      if (joined.error === CODE.REBALANCE_IN_PROGRESS) return { type: 'again', problem: codeName(joined.error) };
      if (joined.error !== CODE.NONE) return this.#judge(APIS.joinGroup, joined.error);
      const isLeader = joined.leader === joined.memberId;
      return {
        type: 'joined',
        membership: { groupId, generation: generation(joined.generation), memberId: joined.memberId },
        isLeader,
        members: joined.members.map((member) => ({
          memberId: member.memberId,
          instanceId: member.instanceId ?? undefined,
          data: subscriptionData(member.subscription),
        })),
        keepsShares: joined.skipsAssignment,
      };
    });
  }

  sync(membership: GroupMembership, shares: ReadonlyMap<string, MemberShare>): Promise<SyncAnswer> {
    const { instanceId, rebalanceTimeoutMs } = this.options;
    const assignments = [...shares].map(([memberId, share]) => ({ memberId, bytes: encodeAssignment(share) }));
    const body = encodeSyncGroup(membership, instanceId, assignments);
    return this.#ask(APIS.syncGroup, body, rebalanceTimeoutMs + HELD_MARGIN_MS, (answer): SyncAnswer => {
      const { error, assignment } = decodeSyncGroup(answer);
      return error === CODE.NONE ? { type: 'synced', share: assignmentData(assignment) } : this.#judge(APIS.syncGroup, error);
    });
  }

  heartbeat(membership: GroupMembership): Promise<HeartbeatAnswer> {
    const { instanceId, sessionTimeoutMs } = this.options;
    return this.#ask(APIS.heartbeat, encodeHeartbeat(membership, instanceId), sessionTimeoutMs, (answer): HeartbeatAnswer => {
      const error = decodeErrorAlone(APIS.heartbeat, answer);
      return error === CODE.NONE ? { type: 'alive' } : this.#judge(APIS.heartbeat, error);
    });
  }

  async leave(memberId: string): Promise<void> {
    const { groupId, instanceId, sessionTimeoutMs } = this.options;
    const body = encodeLeaveGroup(groupId, memberId, instanceId);
    await this.cluster.retrying('LeaveGroup', `group ${groupId}`, sessionTimeoutMs, async () => {
      const done: HeartbeatAnswer = { type: 'alive' };
      const judge = (answer: Buffer): HeartbeatAnswer => {
        const error = decodeLeaveGroup(answer);
        return error === CODE.NONE ? done : this.#judge(APIS.leaveGroup, error);
      };
      const outcome = await this.#ask(APIS.leaveGroup, body, sessionTimeoutMs, judge, 'control');
      // A member that the group does not know has left it.
      return outcome.type === 'again' ? { again: outcome.problem } : { done: true };
    });
  }

  async #ask<Answer>(
    api: Api,
    body: readonly Buffer[],
    timeoutMs: number,
    judge: (answer: Buffer) => Answer,
    role: Role = this.role,
  ): Promise<Answer | Extract<Refusal, { type: 'again' }>> {
    const { cluster } = this;
    const { groupId } = this.options;
    const coordinator = await cluster.coordinator('group', groupId);
    if ('again' in coordinator) return { type: 'again', problem: coordinator.again };
    try {
      return judge(await cluster.wire.send(coordinator.done, role, api, body, timeoutMs));
    } catch (thrown) {
      if (isWeirError(thrown, 'retry')) cluster.forgetCoordinator('group', groupId);
      throw thrown;
    }
  }

  /** @throws WeirError `invalid` KAFKA_CALL_REFUSED for what time does not mend */
  #judge(api: Api, code: number): Refusal {
    const { groupId } = this.options;
    switch (code) {
      case CODE.UNKNOWN_MEMBER_ID:
        return { type: 'unknown-member' };
      case CODE.ILLEGAL_GENERATION:
        return { type: 'stale-generation' };
      case CODE.REBALANCE_IN_PROGRESS:
        return { type: 'rebalancing' };
      case CODE.FENCED_INSTANCE_ID:
        return { type: 'instance-taken' };
    }
    if (isStaleCoordinator(code)) this.cluster.forgetCoordinator('group', groupId);
    if (isStaleCoordinator(code) || isPassing(code) || code === UNKNOWN_SERVER_ERROR) return { type: 'again', problem: codeName(code) };
    throw errors.callRefused({ act: api.name, object: `group ${groupId}`, answer: codeName(code), detail: this.#reason(code) });
  }

  #reason(code: number): string {
    const { sessionTimeoutMs } = this.options;
    if (code === CODE.INCONSISTENT_GROUP_PROTOCOL) {
      return 'it has members that are no Weir replicas: give each application a group of its own';
    }
    if (code === CODE.INVALID_SESSION_TIMEOUT) {
      const limits = "the broker's group.min.session.timeout.ms to group.max.session.timeout.ms";
      return `a session timeout of ${sessionTimeoutMs} ms is outside ${limits}`;
    }
    return code === CODE.GROUP_MAX_SIZE_REACHED ? "it has as many members as the broker's group.max.size allows" : '';
  }
}
