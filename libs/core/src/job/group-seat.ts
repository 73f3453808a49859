import { closed, type Duties, type DutyStep, NO_DUTIES, obey, overdueAt, reportOf, startOverdue } from '../assignment/duties.js';
import { decodeMemberOrders, type MemberOrders } from '../assignment/member-orders.js';
import type { TaskCopy } from '../assignment/assign-tasks.js';
import { encodeMemberReport } from '../assignment/member-report.js';
import { planGeneration } from '../assignment/plan-generation.js';
import { errors } from '../errors/errors.js';
import type { Incarnation } from '../model/brands.js';
import type { TopicPartition } from '../model/topic-partition.js';
import { type Cancel, type Clock, sleep } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { GroupMember, GroupMembership, MemberState } from '../ports/membership.js';
import { CommitPermit, type MembershipSource } from '../task/commit-permit.js';
import type { CompiledGroup } from './compile-settings.js';

/**
 * A replica's seat in the group of its application: it brings together the membership (ports/membership.ts), the division of tasks
 * (assignment/) and the tasks of this replica, which it has started and closed as the group says.
 *
 *   member STABLE with orders --obey--> start, close tasks; who leads and who has which task is told (onOrders)
 *   a task is closed          --------> join again: its next owner waits for that (H1)
 *   awaited for too long      --------> started all the same, and join again (H2, D5)
 *   counted out               --------> permits revoked, tasks dropped without a commit; the session joins again by itself
 *   replaced or refused       --------> the job fails
 *
 * Invariants
 *   S1. A task commits only in the name that the group has for this replica now, and never once it was counted out: its permit is gone
 *       before anything else is done.
 *   S2. Before a task's transactional id is claimed, the group has confirmed that this replica is in it and has the task (I3): a zombie
 *       learns of its loss first, and cannot fence the rightful owner.
 *   S3. A static member that is back finds the share of its former process: it runs those tasks at once, for the group gave them to its name,
 *       and has the group agree anew, so that the others know the process that runs them, and what its predecessor was about to close is
 *       waited for no longer. Until then nobody leads if its predecessor did.
 */
export interface SeatHost {
  readonly log: Log;
  readonly clock: Clock;
  readonly groupId: string;
  readonly settings: CompiledGroup;
  /** Makes the member static; undefined: a dynamic one. */
  readonly instanceId: string | undefined;
  /** Where it is reached by HTTP, as far as is known now. */
  url(): string | undefined;
  /** Name of this process. */
  readonly replica: string;
  readonly incarnation: Incarnation;
  /** Names of the job's tasks, by sub-topology. */
  readonly subTopologies: readonly (readonly string[])[];
  readonly topics: readonly string[];
  /** How many copies of each task's state the group is to keep. */
  readonly standbys: number;
  /** Those that are here. */
  copies(): readonly TaskCopy[];
  partitionsOf(task: string): readonly TopicPartition[];
  start(task: string): void;
  /** With a last commit. Resolves when it has ended. */
  close(task: string): Promise<void>;
  /** Without one. */
  drop(task: string): Promise<void>;
  /** Who is in the group and does what; undefined while this replica does not know. */
  onOrders(orders: MemberOrders | undefined): void;
  onFailure(error: Error): void;
}

/** Milliseconds before the group is asked again about a membership that the log does not take. */
const RENEW_PAUSE_MS = 50;

export class GroupSeat implements MembershipSource {
  readonly #member: GroupMember;
  #duties: Duties = NO_DUTIES;
  /** The last that the group gave. */
  #membership: GroupMembership | undefined;
  readonly #permits = new Set<CommitPermit>();
  #cancelOverdue: Cancel | undefined;
  #isSettled = false;
  #joins = 0;
  #isLeaving = false;

  constructor(private readonly host: SeatHost) {
    const { log, groupId, settings, instanceId, topics, replica, subTopologies, standbys } = host;
    this.#member = log.joinGroup({
      groupId,
      ...(instanceId === undefined ? {} : { instanceId }),
      sessionTimeoutMs: settings.sessionTimeout,
      heartbeatMs: settings.heartbeatInterval,
      rebalanceTimeoutMs: settings.rebalanceTimeout,
      topics,
      describe: () => encodeMemberReport({ replica, join: ++this.#joins, url: host.url(), copies: host.copies(), ...reportOf(this.#duties) }),
      assign: (members) => planGeneration(members, { subTopologies, standbys, leader: replica, partitionsOf: (task) => host.partitionsOf(task) }),
      onChange: (state) => this.#onChange(state),
    });
  }

  /** Whether the group has told this replica its tasks, and it waits for none of them. */
  get isSettled(): boolean {
    return this.#isSettled && this.#duties.awaiting.size === 0;
  }

  /** Name by which the group knows this process; undefined while it does not. */
  get memberId(): string | undefined {
    return this.#member.membership?.memberId;
  }

  get membership(): GroupMembership {
    const present = this.#member.membership ?? this.#membership;
    if (present === undefined) throw errors.permitRevoked({ task: 'of this replica', reason: 'the group has not taken it in' });
    return present;
  }

  async renew(stale: GroupMembership): Promise<void> {
    const { tenure } = this.#member;
    const present = await this.#member.confirm();
    if (this.#member.tenure !== tenure) throw errors.permitRevoked({ task: 'of this replica', reason: 'the group has counted it out' });
    if (present.generation === stale.generation && present.memberId === stale.memberId) await sleep(this.host.clock, RENEW_PAUSE_MS);
  }

  /** S2. @throws WeirError `fenced` if this replica does not have the task, or is in the group no more */
  async confirm(task: string): Promise<void> {
    await this.confirmMembership();
    this.#checkHeld(task);
  }

  /** @throws WeirError `fenced` MEMBERSHIP_LOST, PERMIT_REVOKED */
  async confirmMembership(): Promise<void> {
    const { tenure } = this.#member;
    await this.#member.confirm();
    if (this.#member.tenure !== tenure) throw errors.permitRevoked({ task: 'of this replica', reason: 'the group has counted it out' });
  }

  /** @throws WeirError `fenced` if this replica does not have the task any more */
  permit(task: string): CommitPermit {
    this.#checkHeld(task);
    const permit = new CommitPermit(this, this.host.incarnation);
    this.#permits.add(permit);
    return permit;
  }

  #checkHeld(task: string): void {
    if (!this.#duties.running.has(task)) throw errors.permitRevoked({ task, reason: 'the group has given it to another replica' });
  }

  /** Once its tasks have ended: leaves the group, so that others need not wait for the session to end. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#cancelOverdue?.();
    await this.#member.leave();
  }

  #onChange(state: MemberState): void {
    if (this.#isLeaving) return;
    this.#membership = this.#member.membership ?? this.#membership;
    switch (state.name) {
      case 'STABLE':
        this.#onOrders(state.standing.share);
        break;
      case 'UNJOINED':
        if (state.lost !== undefined) this.#onLoss(state.lost);
        break;
      case 'FENCED':
      case 'FAILED':
        this.#onLoss(state.error.message);
        this.host.onFailure(state.error);
        break;
      default:
        this.#armOverdue(); // D5: nothing overdue is started now
    }
  }

  #onOrders(share: Buffer): void {
    const orders = decodeMemberOrders(share);
    this.#isSettled = true;
    this.#take(obey(this.#duties, orders, this.host.clock.monotonic()));
    this.host.onOrders(orders);
    const { replica } = this.host;
    if (orders.refused === undefined && !orders.replicas.some((one) => one.replica === replica)) this.#member.rejoin(); // S3
  }

  /** S1. */
  #onLoss(reason: string): void {
    this.#isSettled = false;
    for (const permit of this.#permits) permit.revoke(reason);
    this.#permits.clear();
    const { running, leaving } = this.#duties;
    this.#duties = NO_DUTIES;
    this.#armOverdue();
    for (const task of new Set([...running, ...leaving.keys()])) void this.host.drop(task);
    this.host.onOrders(undefined);
  }

  #take({ duties, start, close }: DutyStep): void {
    this.#duties = duties;
    const { tenure } = this.#member;
    for (const task of close) void this.host.close(task).then(() => this.#onClosed(task, tenure));
    for (const task of start) this.host.start(task);
    this.#armOverdue();
  }

  #onClosed(task: string, tenure: number): void {
    if (this.#isLeaving || this.#member.tenure !== tenure) return;
    this.#take(closed(this.#duties, task));
    this.#member.rejoin();
  }

  #armOverdue(): void {
    this.#cancelOverdue?.();
    this.#cancelOverdue = undefined;
    const { clock, settings } = this.host;
    const at = overdueAt(this.#duties, settings.handoverTimeout);
    if (at === undefined || this.#member.state.name !== 'STABLE') return;
    this.#cancelOverdue = clock.after(Math.max(0, at - clock.monotonic()), () => {
      this.#take(startOverdue(this.#duties, clock.monotonic(), settings.handoverTimeout));
      this.#member.rejoin();
    });
  }
}
