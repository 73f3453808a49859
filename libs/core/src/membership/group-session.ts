import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Cancel, Clock } from '../ports/clock.js';
import {
  hasEnded,
  type GroupMember,
  type GroupMembership,
  type GroupOptions,
  type MemberShare,
  type MemberState,
  type Standing,
} from '../ports/membership.js';
import type { GroupCalls, HeartbeatAnswer, JoinAnswer, Refusal, SyncAnswer } from './group-calls.js';

/**
 * GroupSession: one membership in a group, from the first join to the end, over an adapter's calls. It owns the state (the union and its
 * diagram are in ports/membership.ts), the member id, the timers of heartbeats and doubt, and when to try again. It does not own what
 * shares mean, nor bytes, nor where the coordinator is. Both adapters run this one, so that simulation sees what production does.
 *
 * One loop, one step a turn; the state says which:
 *
 *   UNJOINED, JOINING, REBALANCING   join, until the group knows its generation
 *   SYNCING                          sync: hand in the shares if leader, receive one's own
 *   STABLE, IN_DOUBT                 pause for a heartbeat's time, then heartbeat
 *
 * Invariants:
 * - S1. After each answer the state is looked at again: one that came behind `leave` or `close` changes nothing.
 * - S2. What is offered in a join stays the same, byte for byte, until the join is answered: another offer would begin another round, and
 *   two members that lose answers could go on beginning rounds for ever.
 * - S3. Shares are computed once a generation, and sent again as they are.
 * - S4. Time since the last sign of life counts from when a heartbeat was sent, not from its answer: the group's own count began between.
 *   Joins and syncs may be held for long, so they count from their answer, and a heartbeat follows them at once.
 * - S5. A proof (G4) is given only by a heartbeat that was sent after it was asked for.
 */
const FIRST_PAUSE_MS = 20;
const HEARTBEATS_PER_SESSION = 3;

/** Begins to take part. Returns at once; the first call to the group comes with the clock's next turn. */
export function openGroupSession(calls: GroupCalls, options: GroupOptions, clock: Clock): GroupMember {
  const session = new GroupSession(calls, options, clock);
  session.start();
  return session;
}

interface Confirmer {
  readonly resolve: (membership: GroupMembership) => void;
  readonly reject: (error: Error) => void;
}

const NO_SHARES: ReadonlyMap<string, MemberShare> = new Map();

class GroupSession implements GroupMember {
  readonly #heartbeatMs: number;
  #state: MemberState = { name: 'UNJOINED', lost: undefined };
  #memberId = '';
  #tenure = 1;
  /** S2. */
  #offer: Buffer | undefined;
  /** S3. */
  #shares = NO_SHARES;
  #wantsRound = false;
  #confirmers: Confirmer[] = [];
  #doubt: Cancel = () => undefined;
  /** From now to the next heartbeat. */
  #restMs = 0;
  /** From a call without an answer to the next attempt. */
  #pauseMs = FIRST_PAUSE_MS;
  #endPause: (() => void) | undefined;

  constructor(
    private readonly calls: GroupCalls,
    private readonly options: GroupOptions,
    private readonly clock: Clock,
  ) {
    this.#heartbeatMs = options.heartbeatMs ?? Math.max(1, Math.floor(options.sessionTimeoutMs / HEARTBEATS_PER_SESSION));
  }

  get state(): MemberState {
    return this.#state;
  }

  get membership(): GroupMembership | undefined {
    const state = this.#state;
    return 'membership' in state ? state.membership : 'standing' in state ? state.standing.membership : undefined;
  }

  get tenure(): number {
    return this.#tenure;
  }

  start(): void {
    this.clock.after(0, () => void this.#live());
  }

  confirm(): Promise<GroupMembership> {
    return new Promise((resolve, reject) => {
      if (hasEnded(this.#state)) return reject(this.#lossError(endingOf(this.#state)));
      this.#confirmers.push({ resolve, reject });
      this.#hurry();
    });
  }

  rejoin(): void {
    this.#wantsRound = true;
    this.#hurry();
  }

  async leave(): Promise<void> {
    if (hasEnded(this.#state)) return;
    const memberId = this.#memberId;
    this.#become({ name: 'LEFT' });
    if (memberId === '') return;
    await new Promise<void>((resolve) => {
      // Whoever cannot be told finds out when the session ends.
      const cancel = this.clock.after(this.options.sessionTimeoutMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      this.calls.leave(memberId).then(done, done);
    });
  }

  close(): void {
    if (!hasEnded(this.#state)) this.#become({ name: 'LEFT' });
  }

  async #live(): Promise<void> {
    while (!hasEnded(this.#state)) {
      try {
        await this.#turn();
      } catch (thrown) {
        this.#failed(thrown);
      }
    }
  }

  #turn(): Promise<void> {
    const state = this.#state;
    switch (state.name) {
      case 'UNJOINED':
      case 'JOINING':
      case 'REBALANCING':
        return this.#join('standing' in state ? state.standing : undefined);
      case 'SYNCING':
        return this.#sync(state.membership, state.isLeader);
      case 'STABLE':
      case 'IN_DOUBT':
        return this.#beat(state.standing);
      case 'LEFT':
      case 'FENCED':
      case 'FAILED':
        return Promise.resolve();
    }
  }

  async #join(standing: Standing | undefined): Promise<void> {
    if (this.#offer === undefined) {
      this.#wantsRound = false; // what is asked from here on is not in this offer
      this.#offer = this.options.describe();
    }
    if (this.#state.name === 'UNJOINED') this.#become({ name: 'JOINING' });
    const answer = await this.#ask<JoinAnswer>(() => this.calls.join({ memberId: this.#memberId, data: this.#offer! }));
    if (hasEnded(this.#state)) return; // S1
    switch (answer.type) {
      case 'named':
        this.#memberId = answer.memberId;
        return;
      case 'joined': {
        const { membership, isLeader, members, keepsShares } = answer;
        this.#memberId = membership.memberId;
        this.#offer = undefined;
        this.#shares = isLeader && !keepsShares ? this.options.assign(members) : NO_SHARES;
        return this.#become({ name: 'SYNCING', membership, isLeader, standing: standing && { ...standing, membership, isLeader } });
      }
      default:
        return this.#refused(answer);
    }
  }

  async #sync(membership: GroupMembership, isLeader: boolean): Promise<void> {
    const answer = await this.#ask<SyncAnswer>(() => this.calls.sync(membership, this.#shares));
    if (hasEnded(this.#state)) return; // S1
    if (answer.type !== 'synced') return this.#refused(answer);
    this.#shares = NO_SHARES;
    this.#restMs = 0;
    this.#become({ name: 'STABLE', standing: { membership, isLeader, share: answer.share } });
    this.#heard(this.clock.monotonic());
  }

  async #beat(standing: Standing): Promise<void> {
    if (this.#restMs > 0 && !this.#wantsRound && this.#confirmers.length === 0) await this.#pause(this.#restMs);
    if (hasEnded(this.#state)) return; // S1
    this.#restMs = 0; // until it is answered
    if (this.#wantsRound) return this.#become({ name: 'REBALANCING', standing });
    const asked = this.#confirmers.splice(0); // S5
    const sentAt = this.clock.monotonic();
    let answer: HeartbeatAnswer;
    try {
      answer = await this.#ask<HeartbeatAnswer>(() => this.calls.heartbeat(standing.membership));
    } finally {
      this.#confirmers.unshift(...asked); // whatever comes of it: they are answered below, or wait on
    }
    if (hasEnded(this.#state)) return; // S1
    if (answer.type !== 'alive' && answer.type !== 'rebalancing') return this.#refused(answer);
    // Both say that the group has this member, in this very generation.
    for (const { resolve } of this.#confirmers.splice(0, asked.length)) resolve(standing.membership);
    this.#restMs = this.#heartbeatMs;
    this.#heard(sentAt);
    if (answer.type === 'rebalancing') this.#become({ name: 'REBALANCING', standing });
    else if (this.#state.name === 'IN_DOUBT') this.#become({ name: 'STABLE', standing });
  }

  /** One attempt. No answer is one to try again after; the pause for it grows until something is answered. */
  async #ask<Answer>(call: () => Promise<Answer | Refusal>): Promise<Answer | Refusal> {
    let answer: Answer | Refusal;
    try {
      answer = await call();
    } catch (thrown) {
      if (!isWeirError(thrown, 'retry')) throw thrown;
      answer = { type: 'again', problem: thrown.message };
    }
    if ((answer as Refusal).type !== 'again') this.#pauseMs = FIRST_PAUSE_MS;
    else if (!hasEnded(this.#state)) await this.#backOff();
    return answer;
  }

  #refused(refusal: Refusal): void {
    switch (refusal.type) {
      case 'again':
        return;
      case 'rebalancing':
        return this.#become(this.#roundAgain());
      case 'unknown-member':
        this.#memberId = '';
        return this.#lost('the group does not know it any more');
      case 'stale-generation':
        return this.#lost('the group has gone on to another generation without it');
      case 'instance-taken': {
        const { groupId, instanceId = '' } = this.options;
        return this.#become({ name: 'FENCED', error: errors.instanceTaken({ groupId, instanceId }) });
      }
    }
  }

  /** G2: the next round begins with the standing that there is, under the newest generation's name. */
  #roundAgain(): MemberState {
    const state = this.#state;
    const standing = 'standing' in state ? state.standing : undefined;
    return standing === undefined ? { name: 'JOINING' } : { name: 'REBALANCING', standing };
  }

  /** G3. Before a member is taken in for the first time there is nothing to lose. */
  #lost(reason: string): void {
    this.#offer = undefined;
    if (this.membership === undefined) return;
    this.#tenure++;
    this.#rejectConfirmers(reason);
    this.#become({ name: 'UNJOINED', lost: reason });
  }

  #failed(thrown: unknown): void {
    if (hasEnded(this.#state)) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const memberId = this.#memberId;
    this.#become({ name: 'FAILED', error });
    // The others are not to wait for a member that has given up.
    if (memberId !== '') this.calls.leave(memberId).catch(() => undefined);
  }

  #become(state: MemberState): void {
    this.#state = state;
    if (state.name !== 'STABLE') this.#doubt();
    if (hasEnded(state)) {
      this.#rejectConfirmers(endingOf(state));
      this.#endPause?.();
    }
    this.options.onChange(state);
  }

  #rejectConfirmers(reason: string): void {
    for (const { reject } of this.#confirmers.splice(0)) reject(this.#lossError(reason));
  }

  #lossError(reason: string): Error {
    return errors.membershipLost({ groupId: this.options.groupId, reason });
  }

  /** S4. */
  #heard(sentAt: number): void {
    this.#doubt();
    const leftMs = sentAt + this.options.sessionTimeoutMs - this.clock.monotonic();
    this.#doubt = this.clock.after(leftMs, () => {
      const state = this.#state;
      if (state.name === 'STABLE') this.#become({ name: 'IN_DOUBT', standing: state.standing });
    });
  }

  /** Ends the pause between two heartbeats: there is something to ask before. */
  #hurry(): void {
    const { name } = this.#state;
    if (name === 'STABLE' || name === 'IN_DOUBT') this.#endPause?.();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#endPause = undefined;
        resolve();
      };
      const cancel = this.clock.after(ms, end);
      this.#endPause = end;
    });
  }

  /** Doubles up to a heartbeat's time, shortened at random by up to a fifth. */
  #backOff(): Promise<void> {
    const ms = this.#pauseMs * (1 - this.clock.random() / 5);
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#heartbeatMs);
    return this.#pause(ms);
  }
}

function endingOf(state: Extract<MemberState, { name: 'LEFT' | 'FENCED' | 'FAILED' }>): string {
  return state.name === 'LEFT' ? 'it has left' : state.error.message;
}
