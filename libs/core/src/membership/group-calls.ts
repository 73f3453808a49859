import type { GroupMemberInfo, GroupMembership, MemberShare } from '../ports/membership.js';

/**
 * GroupCalls: the four questions of the group protocol, as an adapter puts them to whoever coordinates the group. One attempt each: the
 * session (group-session.ts) tries again. An adapter owns bytes, coordinators that move, and what an error code means; it owns no state
 * of the protocol.
 *
 * Each throws WeirError: `retry` when there was no answer (it may have taken effect), any other kind when there is no sense in going on.
 */
export interface GroupCalls {
  /** Answered once the members of a generation are known, which may take the rebalance timeout. */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** Answered once the leader has given its shares. @param shares of the whole group, from the leader; empty from others */
  sync(membership: GroupMembership, shares: ReadonlyMap<string, MemberShare>): Promise<SyncAnswer>;
  heartbeat(membership: GroupMembership): Promise<HeartbeatAnswer>;
  /** Must not wait for a `join` that is under way. */
  leave(memberId: string): Promise<void>;
}

export interface JoinRequest {
  /** Empty for a member that the group does not know. */
  readonly memberId: string;
  readonly data: Buffer;
}

export type JoinAnswer =
  | {
      readonly type: 'joined';
      readonly membership: GroupMembership;
      readonly isLeader: boolean;
      /** Everybody, for the leader; else empty. */
      readonly members: readonly GroupMemberInfo[];
      /** The leader came back as a static member: the group goes on with the shares that it has. */
      readonly keepsShares: boolean;
    }
  /** The group gives the id first, and wants to be asked again with it. */
  | { readonly type: 'named'; readonly memberId: string }
  | Refusal;
export type SyncAnswer = { readonly type: 'synced'; readonly share: Buffer } | Refusal;
export type HeartbeatAnswer = { readonly type: 'alive' } | Refusal;

export type Refusal =
  /** The group does not know this member (any more). */
  | { readonly type: 'unknown-member' }
  /** The group knows the member, and has gone on to another generation without it. */
  | { readonly type: 'stale-generation' }
  /** The group agrees on another generation, and waits for this member to join. */
  | { readonly type: 'rebalancing' }
  /** Another process has joined under the same instance id. */
  | { readonly type: 'instance-taken' }
  /** Nothing is wrong but the moment. @param problem in words */
  | { readonly type: 'again'; readonly problem: string };
