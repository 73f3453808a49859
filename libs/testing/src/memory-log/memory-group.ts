import {
  openGroupSession,
  type GroupCalls,
  type GroupMember,
  type GroupMembership,
  type GroupOptions,
  type HeartbeatAnswer,
  type JoinAnswer,
  type JoinRequest,
  type MemberShare,
  type SyncAnswer,
} from '@weir/core';
import type { ClientChannel } from './client-channel.js';
import type { LogCall } from './fault-plan.js';
import type { GroupCoordinator, Held } from './group-coordinator.js';

/** A membership of one client of an in-memory cluster: the session of core, on the way that all requests of that client take. */
export function joinMemoryGroup(channel: ClientChannel, coordinator: GroupCoordinator, options: GroupOptions): GroupMember {
  return openGroupSession(new MemoryGroup(channel, coordinator, options), options, channel.context.clock);
}

class MemoryGroup implements GroupCalls {
  constructor(
    private readonly channel: ClientChannel,
    private readonly coordinator: GroupCoordinator,
    private readonly options: GroupOptions,
  ) {}

  join(request: JoinRequest): Promise<JoinAnswer> {
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.options;
    const { clientId } = this.channel.context;
    const facts = { ...request, groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, clientId };
    return this.#held('joinGroup', () => this.coordinator.join(facts));
  }

  sync(membership: GroupMembership, shares: ReadonlyMap<string, MemberShare>): Promise<SyncAnswer> {
    return this.#held('syncGroup', () => this.coordinator.sync(membership, this.options.instanceId, shares));
  }

  heartbeat(membership: GroupMembership): Promise<HeartbeatAnswer> {
    return this.#held('heartbeat', () => ({ answer: Promise.resolve(this.coordinator.heartbeat(membership, this.options.instanceId)) }));
  }

  leave(memberId: string): Promise<void> {
    return this.#call('leaveGroup', () => this.coordinator.leave(this.options.groupId, memberId));
  }

  /** The request travels, then its answer is waited for; a client that was killed meanwhile never has it. */
  async #held<Answer>(call: LogCall, effect: () => Held<Answer>): Promise<Answer> {
    const { answer } = await this.#call(call, effect);
    const given = await answer;
    await this.channel.alive();
    return given;
  }

  #call<T>(call: LogCall, effect: () => T): Promise<T> {
    return this.channel.call({ call, clientId: this.channel.context.clientId, partitions: [] }, effect);
  }
}
