import type { Generation } from '../model/brands.js';
import type { TopicPartition } from '../model/topic-partition.js';

/**
 * Membership: how a replica takes part in the group of its application. The group agrees on who is in it, in numbered generations; in
 * each, one member (the leader) says what every member is to do. Made by a Log (`Log.joinGroup`), whose connections it shares; Kafka's
 * consumer groups in production, memory in tests; both pass the conformance suite in @weir/testing.
 *
 * Guarantees:
 * - G1. One plan: what the members of a generation are told comes from one call of `assign`, made by that generation's leader alone.
 * - G2. A rebalance takes nothing away: while a new generation is agreed on, a member keeps its standing, and may commit in its name,
 *   until it is told its share of the next one.
 * - G3. A loss is told at once: when the group has counted a member out, `onChange` runs before anything else is asked of the group in
 *   that member's name, and `tenure` is another one from then on.
 * - G4. Proof: `confirm` resolves only with an answer to a request that was sent after the call.
 * - G5. Heartbeats go by the clock's timers; a record loop that gives way to timers keeps its membership whatever it does else.
 * - G6. Fencing: the log refuses offsets that come in the name of a member, or of a generation, that the group no longer has.
 */
export interface GroupMember {
  readonly state: MemberState;
  /** In whose name offsets are committed now; undefined while the group has not taken this member in. */
  readonly membership: GroupMembership | undefined;
  /** Number of this run of membership, from 1: another one from each loss on (G3). What began in one tenure has no business in the next. */
  readonly tenure: number;
  /**
   * Resolves once the group has confirmed that this member is in its present generation (G4). While the group agrees on another generation
   * it waits for that one.
   * @throws WeirError `fenced` MEMBERSHIP_LOST if the group has counted the member out since the call, or it has left or failed
   */
  confirm(): Promise<GroupMembership>;
  /** Has the group agree on another generation, because what `describe` would say has changed. Calls before it begins are one. */
  rejoin(): void;
  /** Leaves: the others need not wait for the session to end. Resolves once the group knows, at the latest after a session timeout. */
  leave(): Promise<void>;
  /** Ends without a word to the group. A static member that comes back within its session finds its share untouched. */
  close(): void;
}

/** Who commits offsets: checked by the log against the group's present generation and members. */
export interface GroupMembership {
  readonly groupId: string;
  readonly generation: Generation;
  readonly memberId: string;
}

/** What a member has of a generation. */
export interface Standing {
  readonly membership: GroupMembership;
  readonly isLeader: boolean;
  /** The `data` of its share, as the leader gave it. */
  readonly share: Buffer;
}

/**
 * Where a member stands.
 *
 *   UNJOINED --> JOINING --> SYNCING --> STABLE <--> IN_DOUBT
 *      ^            ^           |          |            |
 *      |            |           |          v            |
 *      |            +---------- | --- REBALANCING <-----+
 *      |                        |          |
 *      +---- counted out -------+----------+   (REBALANCING --> SYNCING, as JOINING)
 *
 *   any --leave, close--> LEFT     any --instance taken--> FENCED     any --refused--> FAILED
 *
 * - UNJOINED: before the first attempt, and from a loss to the next attempt.
 * - JOINING, REBALANCING: waits for the others; without, and with, a standing of an earlier generation (G2).
 * - SYNCING: the generation is agreed on, and the share of it is awaited. `standing` is the earlier share in the new generation's name.
 * - STABLE: has its share.
 * - IN_DOUBT: the same, but the group has not answered for a session timeout: it may have counted this member out by now. What is done
 *   in its name is fenced if so (G6); nothing new is to be begun.
 * - LEFT, FENCED (another process goes by the same instance id), FAILED: the end; it does not come back by itself.
 */
export type MemberState =
  | { readonly name: 'UNJOINED'; readonly lost: string | undefined }
  | { readonly name: 'JOINING' }
  | { readonly name: 'REBALANCING'; readonly standing: Standing }
  | { readonly name: 'SYNCING'; readonly membership: GroupMembership; readonly isLeader: boolean; readonly standing: Standing | undefined }
  | { readonly name: 'STABLE'; readonly standing: Standing }
  | { readonly name: 'IN_DOUBT'; readonly standing: Standing }
  | { readonly name: 'LEFT' }
  | { readonly name: 'FENCED'; readonly error: Error }
  | { readonly name: 'FAILED'; readonly error: Error };

/** A member as the leader sees it. */
export interface GroupMemberInfo {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  /** What its `describe` said. */
  readonly data: Buffer;
}

/** What the leader gives to one member. */
export interface MemberShare {
  /** What the log's own tools show as the member's: the inputs of the tasks that it runs. */
  readonly partitions: readonly TopicPartition[];
  readonly data: Buffer;
}

export interface GroupOptions {
  readonly groupId: string;
  /** Makes the member static: one that comes back under this name within its session causes no rebalance. One process at a time. */
  readonly instanceId?: string;
  /** How long the group waits for a sign of life before it counts a member out, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** How long the group waits for members to take part in a new generation, in milliseconds. */
  readonly rebalanceTimeoutMs: number;
  /** From one sign of life to the next, in milliseconds; default a third of the session timeout. */
  readonly heartbeatMs?: number;
  /** The topics that the group reads: the log keeps its offsets of them while it has members. */
  readonly topics: readonly string[];
  /** What the leader is to know of this member. Asked once for each generation that it takes part in, from outside the methods above. */
  readonly describe: () => Buffer;
  /**
   * Divides the work; asked of the leader alone, once a generation. Pure, and total: what it throws ends this member as FAILED.
   * Members that are not in the result get an empty share.
   */
  readonly assign: (members: readonly GroupMemberInfo[]) => ReadonlyMap<string, MemberShare>;
  /** Called after each change of `state`, never from within a method of the member but `leave` and `close`. Must not throw. */
  readonly onChange: (state: MemberState) => void;
}

/** Whether a member can take part no more. */
export const hasEnded = (state: MemberState): state is Extract<MemberState, { name: 'LEFT' | 'FENCED' | 'FAILED' }> =>
  state.name === 'LEFT' || state.name === 'FENCED' || state.name === 'FAILED';
