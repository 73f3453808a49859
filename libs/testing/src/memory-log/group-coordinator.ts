import {
  generation,
  NO_GENERATION,
  type Cancel,
  type Clock,
  type GroupMembership,
  type HeartbeatAnswer,
  type JoinAnswer,
  type MemberShare,
  type SyncAnswer,
  type TopicPartition,
} from '@weir/core';
import type { ConsumerGroups } from './consumer-groups.js';

/** An answer that may take its time; wrapped, for a promise would be waited for on the way. */
export interface Held<Answer> {
  readonly answer: Promise<Answer>;
}

/** What a member says of itself when it joins. */
export interface JoinFacts {
  readonly groupId: string;
  readonly memberId: string;
  readonly instanceId: string | undefined;
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly data: Buffer;
}

/** A group as its coordinator sees it. */
export interface GroupView {
  readonly phase: 'EMPTY' | 'PREPARING' | 'COMPLETING' | 'STABLE';
  readonly generation: number;
  readonly leader: string | undefined;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | undefined;
    readonly partitions: readonly TopicPartition[];
  }[];
}

interface Member {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  facts: JoinFacts;
  share: MemberShare;
  joining: ((answer: JoinAnswer) => void) | undefined;
  syncing: ((answer: SyncAnswer) => void) | undefined;
  endSession: Cancel;
}

/**
 *   EMPTY --join--> PREPARING --all have joined, or time is over--> COMPLETING --shares of the leader--> STABLE
 *     ^                 ^                                               |                                 |
 *     |                 +----join, leave, session over------------------+---------------------------------+
 *     +----nobody is left
 */
interface Group {
  readonly groupId: string;
  phase: GroupView['phase'];
  generation: number;
  leader: string | undefined;
  /** In the order of their joining. */
  readonly members: Map<string, Member>;
  /** Ids that were given and not yet joined with. */
  readonly named: Set<string>;
  endPreparing: Cancel;
}

const NO_SHARE: MemberShare = { partitions: [], data: Buffer.alloc(0) };

/**
 * GroupCoordinator: the broker's side of the group protocol, after Kafka's coordinator of classic groups. Sessions and rebalances end by
 * the cluster's clock. Who is in which generation is told to ConsumerGroups, which commits are checked against.
 *
 * As there: only a leader, or a member that offers something else, begins a rebalance by joining; static members come back to what they
 * had, and are waited for until their session ends; a repeated request does nothing twice.
 */
export class GroupCoordinator {
  readonly #groups = new Map<string, Group>();
  #ids = 0;

  constructor(
    private readonly clock: Clock,
    private readonly committing: ConsumerGroups,
  ) {}

  view(groupId: string): GroupView | undefined {
    const group = this.#groups.get(groupId);
    if (group === undefined) return undefined;
    const { phase, generation: current, leader } = group;
    const members = [...group.members.values()].map(({ memberId, instanceId, share: { partitions } }) => ({ memberId, instanceId, partitions }));
    return { phase, generation: current, leader, members };
  }

  /** Stops all timers. */
  close(): void {
    for (const group of this.#groups.values()) {
      group.endPreparing();
      for (const { endSession } of group.members.values()) endSession();
    }
  }

  join(facts: JoinFacts): Held<JoinAnswer> {
    const group = this.#group(facts.groupId);
    const { memberId, instanceId } = facts;
    const holder = instanceId === undefined ? undefined : [...group.members.values()].find((member) => member.instanceId === instanceId);
    if (memberId === '') {
      if (holder !== undefined) return this.#joinInPlaceOf(group, holder, facts);
      const id = `${instanceId ?? facts.clientId}-${++this.#ids}`;
      if (instanceId !== undefined) return this.#joinAs(group, id, facts);
      group.named.add(id);
      return now({ type: 'named', memberId: id });
    }
    if (holder !== undefined && holder.memberId !== memberId) return now({ type: 'instance-taken' });
    if (!group.members.has(memberId) && !group.named.has(memberId)) return now({ type: 'unknown-member' });
    return this.#joinAs(group, memberId, facts);
  }

  /** A static member is back under its name: the former process is replaced, and hears of it. */
  #joinInPlaceOf(group: Group, former: Member, facts: JoinFacts): Held<JoinAnswer> {
    const memberId = `${facts.instanceId!}-${++this.#ids}`;
    this.#remove(group, former, 'instance-taken');
    const member = this.#add(group, memberId, facts);
    member.share = former.share;
    const led = group.leader === former.memberId;
    if (led) group.leader = memberId;
    if (group.phase !== 'STABLE') return this.#await(group, member, facts);
    this.#tellCommitting(group);
    this.#beginSession(group, member);
    return now({ ...this.#joined(group, member), keepsShares: led });
  }

  #joinAs(group: Group, memberId: string, facts: JoinFacts): Held<JoinAnswer> {
    const known = group.members.get(memberId);
    group.named.delete(memberId);
    if (known === undefined) return this.#await(group, this.#add(group, memberId, facts), facts);
    const isSame = known.facts.data.equals(facts.data);
    const needsNoRound = group.phase === 'COMPLETING' ? isSame : group.phase === 'STABLE' && isSame && group.leader !== memberId;
    return needsNoRound ? now(this.#joined(group, known)) : this.#await(group, known, facts);
  }

  #add(group: Group, memberId: string, facts: JoinFacts): Member {
    const { instanceId } = facts;
    const endSession = (): void => undefined;
    const member: Member = { memberId, instanceId, facts, share: NO_SHARE, joining: undefined, syncing: undefined, endSession };
    group.members.set(memberId, member);
    return member;
  }

  #await(group: Group, member: Member, facts: JoinFacts): Held<JoinAnswer> {
    member.facts = facts;
    member.endSession(); // whoever waits for the others is alive
    const answer = new Promise<JoinAnswer>((resolve) => {
      member.joining?.({ type: 'again', problem: 'it joined once more' });
      member.joining = resolve;
    });
    if (group.phase !== 'PREPARING') this.#prepare(group);
    this.#completeIfAll(group);
    return { answer };
  }

  #prepare(group: Group): void {
    group.phase = 'PREPARING';
    for (const member of group.members.values()) {
      this.#answerSync(group, member, { type: 'rebalancing' });
    }
    const limitMs = Math.max(0, ...[...group.members.values()].map(({ facts }) => facts.rebalanceTimeoutMs));
    group.endPreparing();
    group.endPreparing = this.clock.after(limitMs, () => {
      group.named.clear();
      // Static members keep their place until their session ends.
      for (const member of group.members.values()) {
        if (member.joining === undefined && member.instanceId === undefined) this.#remove(group, member, 'unknown-member');
      }
      if ([...group.members.values()].some(({ joining }) => joining !== undefined)) this.#complete(group);
      else if (group.members.size > 0) this.#prepare(group);
      else this.#empty(group);
    });
  }

  #completeIfAll(group: Group): void {
    if (group.phase !== 'PREPARING') return;
    if (group.members.size === 0) return this.#empty(group);
    if (group.named.size === 0 && [...group.members.values()].every(({ joining }) => joining !== undefined)) this.#complete(group);
  }

  #complete(group: Group): void {
    group.endPreparing();
    group.generation++;
    group.phase = 'COMPLETING';
    const joined = [...group.members.values()].filter(({ joining }) => joining !== undefined);
    if (!joined.some(({ memberId }) => memberId === group.leader)) group.leader = joined[0]!.memberId;
    this.#tellCommitting(group);
    for (const member of joined) {
      member.share = NO_SHARE;
      const { joining } = member;
      member.joining = undefined;
      this.#beginSession(group, member);
      joining!(this.#joined(group, member));
    }
  }

  #empty(group: Group): void {
    group.endPreparing();
    group.phase = 'EMPTY';
    group.generation++;
    group.leader = undefined;
    this.#tellCommitting(group);
  }

  #joined(group: Group, { memberId }: Member): Extract<JoinAnswer, { type: 'joined' }> {
    const isLeader = group.leader === memberId;
    const members = [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      data: member.facts.data,
    }));
    const membership = { groupId: group.groupId, generation: generation(group.generation), memberId };
    return { type: 'joined', membership, isLeader, members: isLeader ? members : [], keepsShares: false };
  }

  sync(membership: GroupMembership, instanceId: string | undefined, shares: ReadonlyMap<string, MemberShare>): Held<SyncAnswer> {
    const found = this.#find(membership, instanceId);
    if ('type' in found) return now(found);
    const { group, member } = found;
    if (group.phase === 'PREPARING') return now({ type: 'rebalancing' });
    if (group.phase === 'STABLE') return now({ type: 'synced', share: member.share.data });
    const answer = new Promise<SyncAnswer>((resolve) => (member.syncing = resolve));
    if (group.leader === member.memberId) {
      group.phase = 'STABLE';
      for (const one of group.members.values()) {
        one.share = shares.get(one.memberId) ?? NO_SHARE;
        this.#answerSync(group, one, { type: 'synced', share: one.share.data });
      }
    }
    return { answer };
  }

  #answerSync(group: Group, member: Member, answer: SyncAnswer): void {
    const { syncing } = member;
    if (syncing === undefined) return;
    member.syncing = undefined;
    this.#beginSession(group, member);
    syncing(answer);
  }

  heartbeat(membership: GroupMembership, instanceId: string | undefined): HeartbeatAnswer {
    const found = this.#find(membership, instanceId);
    if ('type' in found) return found;
    this.#beginSession(found.group, found.member);
    return found.group.phase === 'PREPARING' ? { type: 'rebalancing' } : { type: 'alive' };
  }

  leave(groupId: string, memberId: string): void {
    const group = this.#group(groupId);
    group.named.delete(memberId);
    const member = group.members.get(memberId);
    if (member !== undefined) this.#goneFrom(group, member);
    else this.#completeIfAll(group);
  }

  #find(
    { groupId, generation: asked, memberId }: GroupMembership,
    instanceId: string | undefined,
  ): { group: Group; member: Member } | Extract<HeartbeatAnswer, { type: 'unknown-member' | 'stale-generation' | 'instance-taken' }> {
    const group = this.#group(groupId);
    const member = group.members.get(memberId);
    if (member === undefined) {
      const isTaken = instanceId !== undefined && [...group.members.values()].some((other) => other.instanceId === instanceId);
      return { type: isTaken ? 'instance-taken' : 'unknown-member' };
    }
    return asked === group.generation ? { group, member } : { type: 'stale-generation' };
  }

  #beginSession(group: Group, member: Member): void {
    member.endSession();
    member.endSession = this.clock.after(member.facts.sessionTimeoutMs, () => {
      if (member.syncing !== undefined) this.#beginSession(group, member);
      else this.#goneFrom(group, member);
    });
  }

  #goneFrom(group: Group, member: Member): void {
    this.#remove(group, member, 'unknown-member');
    this.#tellCommitting(group);
    if (group.phase !== 'PREPARING') this.#prepare(group);
    this.#completeIfAll(group);
  }

  #remove(group: Group, member: Member, type: 'unknown-member' | 'instance-taken'): void {
    member.endSession();
    group.members.delete(member.memberId);
    member.joining?.({ type });
    member.syncing?.({ type });
  }

  #tellCommitting({ groupId, generation: current, members }: Group): void {
    this.committing.set(groupId, { generation: members.size === 0 ? NO_GENERATION : generation(current), members: [...members.keys()] });
  }

  #group(groupId: string): Group {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      const none = (): void => undefined;
      group = { groupId, phase: 'EMPTY', generation: 0, leader: undefined, members: new Map(), named: new Set(), endPreparing: none };
      this.#groups.set(groupId, group);
    }
    return group;
  }
}

const now = <Answer>(answer: Answer): Held<Answer> => ({ answer: Promise.resolve(answer) });
