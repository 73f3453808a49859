import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { generation } from '../model/brands.js';
import { WeirError } from '../errors/weir-error.js';
import type { GroupMember, GroupMemberInfo, GroupMembership, MemberShare, MemberState } from '../ports/membership.js';
import type { GroupCalls, HeartbeatAnswer, JoinAnswer, JoinRequest, SyncAnswer } from './group-calls.js';
import { openGroupSession } from './group-session.js';

const SESSION_MS = 900;
const HEARTBEAT_MS = 300;

interface Call {
  readonly name: 'join' | 'sync' | 'heartbeat' | 'leave';
  readonly said: unknown;
  /** Answers, or says that no answer came. */
  readonly answer: (answer: JoinAnswer | SyncAnswer | HeartbeatAnswer | Error) => Promise<void>;
}

let clock: ManualClock;
let calls: Call[];
let member: GroupMember;
let states: MemberState[];
/** What happened, in order: states and calls. */
let events: string[];
let says: string;
let asked: (readonly GroupMemberInfo[])[];
let assign: (members: readonly GroupMemberInfo[]) => ReadonlyMap<string, MemberShare>;

const group: GroupCalls = {
  join: (request: JoinRequest) => call<JoinAnswer>('join', `${request.memberId}:${request.data.toString()}`),
  sync: (membership, shares) => call<SyncAnswer>('sync', [membership.generation, ...[...shares].map(([id, { data }]) => `${id}=${data.toString()}`)]),
  heartbeat: (membership) => call<HeartbeatAnswer>('heartbeat', membership.generation),
  leave: (memberId) => call<void>('leave', memberId),
};

function call<T>(name: Call['name'], said: unknown): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    events.push(name);
    const answer: Call['answer'] = async (given) => {
      if (given instanceof Error) reject(given);
      else resolve(given as T);
      await clock.advance(0);
    };
    calls.push({ name, said, answer });
  });
}

const membershipOf = (number: number, memberId = 'm'): GroupMembership => ({ groupId: 'app', generation: generation(number), memberId });
const joined = (number: number, members: readonly string[] = [], memberId = 'm'): JoinAnswer => ({
  type: 'joined',
  membership: membershipOf(number, memberId),
  isLeader: members.length > 0,
  members: members.map((id) => ({ memberId: id, instanceId: undefined, data: Buffer.from(`of ${id}`) })),
  keepsShares: false,
});
const synced = (share: string): SyncAnswer => ({ type: 'synced', share: Buffer.from(share) });
const ALIVE: HeartbeatAnswer = { type: 'alive' };
const NO_ANSWER = new WeirError('retry', 'NO_ANSWER', 'No answer came.');

/** The call that waits for its answer: the last one. */
function pending(name: Call['name']): Call {
  const last = calls.at(-1);
  expect(last?.name).toBe(name);
  return last!;
}

beforeEach(() => {
  clock = new ManualClock();
  calls = [];
  states = [];
  events = [];
  asked = [];
  says = 'first';
  assign = (members) => new Map(members.map(({ memberId }) => [memberId, { partitions: [], data: Buffer.from(`for ${memberId}`) }]));
  member = openGroupSession(
    group,
    {
      groupId: 'app',
      topics: [],
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: 5_000,
      describe: () => Buffer.from(says),
      assign: (members) => {
        asked.push(members);
        return assign(members);
      },
      onChange: (state) => {
        states.push(state);
        events.push(state.name);
      },
    },
    clock,
  );
});

/** Takes the member to STABLE in a generation, with its first heartbeat answered. */
async function settle(number = 1, share = 'work'): Promise<void> {
  await clock.advance(0);
  await pending('join').answer(joined(number));
  await pending('sync').answer(synced(share));
  await pending('heartbeat').answer(ALIVE);
  expect(member.state.name).toBe('STABLE');
}

const outcome = (promise: Promise<unknown>): { result: unknown } => {
  const box = { result: undefined as unknown };
  promise.then(
    (value) => (box.result = value),
    (thrown: unknown) => (box.result = thrown),
  );
  return box;
};

describe('joining', () => {
  it('goes from nothing to a share: named, joined, synced, and a heartbeat at once', async () => {
    await clock.advance(0);
    await pending('join').answer({ type: 'named', memberId: 'm' });
    expect(pending('join').said).toBe('m:first');
    await pending('join').answer(joined(4));
    expect(member.membership).toEqual(membershipOf(4));
    await pending('sync').answer(synced('work'));
    await pending('heartbeat').answer(ALIVE);
    expect(states.map(({ name }) => name)).toEqual(['JOINING', 'SYNCING', 'STABLE']);
    expect(member.state).toMatchObject({ standing: { membership: membershipOf(4), isLeader: false, share: Buffer.from('work') } });
  });

  it('S2: offers the same again when an answer was lost, whatever it would say by now', async () => {
    await clock.advance(0);
    says = 'second';
    await pending('join').answer(NO_ANSWER);
    await clock.advance(50);
    expect(calls.map(({ said }) => said)).toEqual([':first', ':first']);
    expect(member.state.name).toBe('JOINING');
  });

  it('S3: plans once as a leader, and hands the plan in again when an answer was lost', async () => {
    await clock.advance(0);
    await pending('join').answer(joined(1, ['m', 'n']));
    expect(pending('sync').said).toEqual([1, 'm=for m', 'n=for n']);
    await pending('sync').answer({ type: 'again', problem: 'it loads' });
    await clock.advance(50);
    expect(pending('sync').said).toEqual([1, 'm=for m', 'n=for n']);
    expect(asked).toHaveLength(1);
  });

  it('takes part in another round when it was asked to while a join was held, with what it says then', async () => {
    await clock.advance(0);
    says = 'second';
    member.rejoin();
    await pending('join').answer(joined(1));
    await pending('sync').answer(synced('work'));
    expect(pending('join').said).toBe('m:second');
    expect(member.state.name).toBe('REBALANCING');
  });

  it('asks less and less often while nobody answers, at least once a heartbeat', async () => {
    await clock.advance(0);
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      const count = calls.length;
      await pending('join').answer(NO_ANSWER);
      const since = clock.monotonic();
      await clock.waitUntil(() => calls.length > count);
      times.push(clock.monotonic() - since);
    }
    expect(times[0]).toBeLessThanOrEqual(20);
    expect(times.at(-1)).toBeGreaterThan(HEARTBEAT_MS / 2);
    expect(Math.max(...times)).toBeLessThanOrEqual(HEARTBEAT_MS);
  });
});

describe('a rebalance', () => {
  it('G2: keeps the standing while the next generation is agreed on, and commits under its name once it has one', async () => {
    await settle(1, 'old work');
    await clock.advance(HEARTBEAT_MS);
    await pending('heartbeat').answer({ type: 'rebalancing' });
    expect(member.state).toMatchObject({ name: 'REBALANCING', standing: { share: Buffer.from('old work') } });
    expect(member.membership).toEqual(membershipOf(1));
    await pending('join').answer(joined(2));
    expect(member.state).toMatchObject({ name: 'SYNCING', standing: { share: Buffer.from('old work') } });
    expect(member.membership).toEqual(membershipOf(2));
    await pending('sync').answer({ type: 'rebalancing' });
    expect(member.state).toMatchObject({ name: 'REBALANCING', standing: { membership: membershipOf(2), share: Buffer.from('old work') } });
    await pending('join').answer(joined(3));
    await pending('sync').answer(synced('new work'));
    expect(member.state).toMatchObject({ name: 'STABLE', standing: { share: Buffer.from('new work') } });
    expect(member.tenure).toBe(1);
  });
});

describe('a heartbeat', () => {
  it('G5: comes by the timer', async () => {
    await settle();
    const before = calls.length;
    await clock.advance(HEARTBEAT_MS - 1);
    expect(calls).toHaveLength(before);
    await clock.advance(1);
    expect(calls).toHaveLength(before + 1);
  });

  it('is tried again soon when no answer came', async () => {
    await settle();
    await clock.advance(HEARTBEAT_MS);
    await pending('heartbeat').answer(NO_ANSWER);
    const before = calls.length;
    await clock.advance(20);
    expect(calls).toHaveLength(before + 1);
    expect(member.state.name).toBe('STABLE');
  });

  it('S4: leaves the member in doubt a session after the last one that was answered was sent, and takes the doubt away', async () => {
    await settle();
    await clock.advance(HEARTBEAT_MS);
    const sentAt = clock.monotonic();
    await clock.advance(200);
    await pending('heartbeat').answer(ALIVE);
    await clock.advance(HEARTBEAT_MS);
    pending('heartbeat');
    await clock.advance(sentAt + SESSION_MS - 1 - clock.monotonic());
    expect(member.state.name).toBe('STABLE');
    await clock.advance(1);
    expect(member.state.name).toBe('IN_DOUBT');
    expect(member.membership).toEqual(membershipOf(1));
    await pending('heartbeat').answer({ ...ALIVE });
    expect(member.state.name).toBe('STABLE');
  });
});

describe('a loss', () => {
  it('G3: is told before anything else is asked, ends the tenure, and the member joins as nobody', async () => {
    await settle();
    const confirmed = outcome(member.confirm());
    await clock.advance(0);
    events = [];
    await pending('heartbeat').answer({ type: 'unknown-member' });
    expect(events).toEqual(['UNJOINED', 'JOINING', 'join']);
    expect(pending('join').said).toBe(':first');
    expect(member.tenure).toBe(2);
    expect(member.membership).toBeUndefined();
    expect(confirmed.result).toMatchObject({ kind: 'fenced', code: 'MEMBERSHIP_LOST' });
  });

  it('keeps the id where the group still knows it, and describes itself anew', async () => {
    await settle();
    says = 'second';
    await clock.advance(HEARTBEAT_MS);
    await pending('heartbeat').answer({ type: 'stale-generation' });
    expect(pending('join').said).toBe('m:second');
    expect(member.tenure).toBe(2);
  });

  it('comes out of a rebalance, too', async () => {
    await settle();
    member.rejoin();
    await clock.advance(0);
    await pending('join').answer({ type: 'unknown-member' });
    expect(member.tenure).toBe(2);
    expect(states.at(-2)).toMatchObject({ name: 'UNJOINED' });
  });

  it('is none before the group has taken the member in', async () => {
    await clock.advance(0);
    await pending('join').answer({ type: 'named', memberId: 'm' });
    await pending('join').answer({ type: 'unknown-member' });
    expect(pending('join').said).toBe(':first');
    expect(member.tenure).toBe(1);
  });
});

describe('a proof', () => {
  it('S5: is not given by a heartbeat that was under way, but by the next one, which comes at once', async () => {
    await settle();
    await clock.advance(HEARTBEAT_MS);
    const underWay = pending('heartbeat');
    const confirmed = outcome(member.confirm());
    await underWay.answer(ALIVE);
    expect(confirmed.result).toBeUndefined();
    await pending('heartbeat').answer(ALIVE);
    expect(confirmed.result).toEqual(membershipOf(1));
  });

  it('is given by the answer that the group rebalances: it names this generation', async () => {
    await settle();
    const confirmed = outcome(member.confirm());
    await clock.advance(0);
    await pending('heartbeat').answer({ type: 'rebalancing' });
    expect(confirmed.result).toEqual(membershipOf(1));
  });

  it('waits through lost answers, and through a rebalance for the generation after it', async () => {
    await settle();
    member.rejoin();
    await clock.advance(0);
    const confirmed = outcome(member.confirm());
    await pending('join').answer(joined(2));
    await pending('sync').answer(synced('work'));
    await pending('heartbeat').answer(NO_ANSWER);
    expect(confirmed.result).toBeUndefined();
    await clock.advance(20);
    await pending('heartbeat').answer(ALIVE);
    expect(confirmed.result).toEqual(membershipOf(2));
  });
});

describe('the end', () => {
  it('S1: comes with leave while a join is held, and what is answered later changes nothing', async () => {
    await settle();
    member.rejoin();
    await clock.advance(0);
    const held = pending('join');
    const left = outcome(member.leave().then(() => 'left'));
    expect(member.state.name).toBe('LEFT');
    expect(pending('leave').said).toBe('m');
    const leave = calls.at(-1)!;
    await held.answer(joined(2));
    await leave.answer(ALIVE);
    expect(left.result).toBe('left');
    expect(events.slice(-2)).toEqual(['leave', 'LEFT'].reverse());
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits no longer than a session for a group that cannot be told', async () => {
    await settle();
    const left = outcome(member.leave().then(() => 'left'));
    await clock.advance(SESSION_MS - 1);
    expect(left.result).toBeUndefined();
    await clock.advance(1);
    expect(left.result).toBe('left');
  });

  it('is silent with close', async () => {
    await settle();
    const before = calls.length;
    member.close();
    await clock.advance(10_000);
    expect(calls).toHaveLength(before);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    ['the instance id was taken', { type: 'instance-taken' } as const, 'FENCED', 'INSTANCE_ID_TAKEN'],
    ['the group refuses', new WeirError('invalid', 'REFUSED', 'The group refuses.'), 'FAILED', 'REFUSED'],
  ])('comes when %s, and the error says so', async (_, answer, name, code) => {
    await settle();
    const confirmed = outcome(member.confirm());
    await clock.advance(0);
    await pending('heartbeat').answer(answer);
    expect(member.state).toMatchObject({ name, error: { code } });
    expect(confirmed.result).toMatchObject({ kind: 'fenced', code: 'MEMBERSHIP_LOST' });
    await clock.advance(10_000);
    expect(calls.filter((one) => one.name === 'join')).toHaveLength(1);
  });

  it('comes when no plan can be made, and the group is told so that it does not wait', async () => {
    assign = () => {
      throw new Error('no plan');
    };
    await clock.advance(0);
    await pending('join').answer(joined(1, ['m']));
    expect(member.state).toMatchObject({ name: 'FAILED', error: { message: 'no plan' } });
    pending('leave');
  });
});
