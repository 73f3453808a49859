import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { offset, type GroupMember, type GroupMemberInfo, type GroupMembership, type GroupOptions, type Log, type MemberState } from '@weir/core';
import { LogFixture, rejection, type LogHarness } from './log-harness.js';

/**
 * What every implementation of memberships (`Log.joinGroup`) must do, as a suite that an implementation's spec calls; guarantees are cited
 * by their number in the port (G1 to G6). Written for slow clusters: nobody here loses its session by being late.
 *
 * @param makeHarness called once; one cluster serves all tests, which keep apart by names of their own
 */
export function describeMembershipConformance(name: string, makeHarness: () => Promise<LogHarness>): void {
  describe(`${name} has groups`, () => {
    let harness: LogHarness;
    let fixture: LogFixture;

    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.close());
    beforeEach(() => {
      fixture = new LogFixture(harness);
    });
    afterEach(() => fixture.end());

    for (const [sentence, run] of TESTS) it(sentence, () => run(fixture));
  });
}

const LONG_SESSION_MS = 10_000;
const SHORT_SESSION_MS = 1_000;
const HEARTBEAT_MS = 50;

/** A member of a test's group, and all that it was told. */
class Seat {
  readonly member: GroupMember;
  readonly states: MemberState[] = [];
  /** What `assign` was asked, each time. */
  readonly asked: (readonly GroupMemberInfo[])[] = [];

  constructor(
    private readonly fixture: LogFixture,
    readonly log: Log,
    groupId: string,
    public says: string,
    options: Partial<GroupOptions> = {},
  ) {
    this.member = log.joinGroup({
      groupId,
      topics: [],
      sessionTimeoutMs: LONG_SESSION_MS,
      rebalanceTimeoutMs: LONG_SESSION_MS,
      heartbeatMs: HEARTBEAT_MS,
      describe: () => Buffer.from(this.says),
      assign: (members) => {
        this.asked.push(members);
        const all = saying(members);
        return new Map(members.map(({ memberId, data }) => [memberId, { partitions: [], data: Buffer.from(`${data.toString()} of ${all}`) }]));
      },
      onChange: (state) => this.states.push(state),
      ...options,
    });
  }

  /** What this member was told of the generation that it is in: nothing unless it is in one now. */
  get share(): string {
    const { state } = this.member;
    return state.name === 'STABLE' ? state.standing.share.toString() : '';
  }

  get generation(): number {
    return this.member.membership?.generation ?? -1;
  }

  get isLeader(): boolean {
    const { state } = this.member;
    return state.name === 'STABLE' && state.standing.isLeader;
  }

  /** Waits until it is told that the group is these. */
  async in(...group: string[]): Promise<void> {
    await this.fixture.until(`${this.says} is in ${group.join()}`, () => this.share === `${this.says} of ${group.join()}`);
  }

  names(): string[] {
    return this.states.map(({ name }) => name);
  }
}

const saying = (members: readonly GroupMemberInfo[]): string => members.map(({ data }) => data.toString()).sort().join();

async function seat(fixture: LogFixture, groupId: string, says: string, options: Partial<GroupOptions> = {}): Promise<Seat> {
  return new Seat(fixture, await fixture.client(), groupId, says, options);
}

/** Members a, b, ..., all in one generation. The first of them leads. */
async function seats(fixture: LogFixture, names: readonly string[], options: Partial<GroupOptions> = {}): Promise<{ groupId: string; all: Seat[] }> {
  const groupId = fixture.harness.uniqueName('group');
  const all: Seat[] = [];
  for (const says of names) {
    all.push(await seat(fixture, groupId, says, options));
    for (const one of all) await one.in(...all.map((other) => other.says));
  }
  return { groupId, all };
}

/** Commits an offset in the name of a membership; what that comes to. */
async function commitAs(fixture: LogFixture, log: Log, group: GroupMembership): Promise<'committed' | 'fenced'> {
  const topic = await fixture.topic(log);
  const transaction = (await fixture.writer(log)).begin();
  try {
    await transaction.addOffsets(group, [{ topic, partition: 0, offset: offset(1) }]);
  } catch (thrown) {
    expect(thrown).toMatchObject({ kind: 'fenced' });
    await transaction.abort();
    return 'fenced';
  }
  await transaction.commit();
  return 'committed';
}

type MembershipTest = readonly [name: string, run: (fixture: LogFixture) => Promise<void>];

const TESTS: readonly MembershipTest[] = [
  ['takes in the first member, which leads', takesFirst],
  ['G1, G2: takes in a second one, while the first keeps its standing; both have shares of one plan', takesSecond],
  ['has three members agree on one generation with one leader', agrees],
  ['gives the work of a member that leaves to the others at once, and to it no more', leaves],
  ['counts out a member that says nothing for a session, and one of the others leads', countsOut],
  ['asks every member anew when one of them has something else to say', rejoins],
  ['G4: confirms a member in its present generation, and waits for the next one while that is agreed on', confirms],
  ['G4: refuses to confirm whoever has left, before the call or after it', refusesLeft],
  ['G6: refuses offsets in the name of a former generation, and takes them in the name of the present one', fencesGenerations],
  ['G6: refuses offsets in the name of a member that has left', fencesMembers],
  ['lets a static member come back within its session as if it had never been away, leader or not', returns],
  ['ends a static member whose instance id another process has taken, and refuses its offsets', instanceTaken],
  ['fails a member whose plan cannot be made, and the group goes on without it', badLeader],
  ['ends a membership with its log', endsWithLog],
];

async function takesFirst(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  expect(a.names()).toEqual(['JOINING', 'SYNCING', 'STABLE']);
  expect(a.isLeader).toBe(true);
  expect(a.generation).toBeGreaterThan(0);
  expect(a.member.tenure).toBe(1);
}

async function takesSecond(fixture: LogFixture): Promise<void> {
  const { groupId, all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  const before = a.states.length;
  const b = await seat(fixture, groupId, 'b');
  await a.in('a', 'b');
  await b.in('a', 'b');
  expect(a.generation).toBe(b.generation);
  for (const state of a.states.slice(before, -1)) {
    // G2: at every moment in between, the share that it had.
    expect(['REBALANCING', 'SYNCING']).toContain(state.name);
    expect('standing' in state && state.standing?.share.toString()).toBe('a of a');
  }
  expect(a.member.tenure).toBe(1);
  expect(b.asked).toEqual([]);
}

async function agrees(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a', 'b', 'c']);
  expect(new Set(all.map(({ generation }) => generation)).size).toBe(1);
  expect(all.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  expect(new Set(all.map(({ member }) => member.membership?.memberId)).size).toBe(3);
}

async function leaves(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a', 'b', 'c']);
  const [a, b, c] = all as [Seat, Seat, Seat];
  await b.member.leave();
  await a.in('a', 'c');
  await c.in('a', 'c');
  expect(b.member.state.name).toBe('LEFT');
  expect(b.member.membership).toBeUndefined();
  expect([a.member.tenure, c.member.tenure]).toEqual([1, 1]);
}

async function countsOut(fixture: LogFixture): Promise<void> {
  const groupId = fixture.harness.uniqueName('group');
  const a = await seat(fixture, groupId, 'a', { sessionTimeoutMs: SHORT_SESSION_MS });
  await a.in('a');
  const b = await seat(fixture, groupId, 'b');
  await b.in('a', 'b');
  a.member.close();
  await b.in('b');
  expect(b.isLeader).toBe(true);
  expect(b.member.tenure).toBe(1);
}

async function rejoins(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a', 'b']);
  const [a, b] = all as [Seat, Seat];
  b.says = 'b2';
  b.member.rejoin();
  await a.in('a', 'b2');
  await b.in('a', 'b2');
  a.says = 'a2'; // of the leader, too
  a.member.rejoin();
  await a.in('a2', 'b2');
  await b.in('a2', 'b2');
}

async function confirms(fixture: LogFixture): Promise<void> {
  const { groupId, all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  expect(await a.member.confirm()).toEqual(a.member.membership);
  const b = await seat(fixture, groupId, 'b');
  const confirmed = await b.member.confirm();
  expect(confirmed.memberId).toBe(b.member.membership?.memberId);
  await a.in('a', 'b');
  const [of1, of2] = [await a.member.confirm(), await b.member.confirm()];
  expect(of1.generation).toBe(of2.generation);
}

async function refusesLeft(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  const early = rejection(a.member.confirm());
  a.member.close();
  expect(await early).toMatchObject({ kind: 'fenced', code: 'MEMBERSHIP_LOST' });
  expect(await rejection(a.member.confirm())).toMatchObject({ kind: 'fenced', code: 'MEMBERSHIP_LOST' });
}

async function fencesGenerations(fixture: LogFixture): Promise<void> {
  const { groupId, all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  const former = a.member.membership!;
  expect(await commitAs(fixture, a.log, former)).toBe('committed');
  const b = await seat(fixture, groupId, 'b');
  await a.in('a', 'b');
  await b.in('a', 'b');
  expect(await commitAs(fixture, a.log, former)).toBe('fenced');
  expect(await commitAs(fixture, a.log, a.member.membership!)).toBe('committed');
  expect(await commitAs(fixture, b.log, b.member.membership!)).toBe('committed');
}

async function fencesMembers(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a', 'b']);
  const [a, b] = all as [Seat, Seat];
  const gone = b.member.membership!;
  await b.member.leave();
  await a.in('a');
  expect(await commitAs(fixture, b.log, gone)).toBe('fenced');
  expect(await commitAs(fixture, b.log, { ...gone, generation: a.member.membership!.generation })).toBe('fenced');
}

async function returns(fixture: LogFixture): Promise<void> {
  const groupId = fixture.harness.uniqueName('group');
  const open = (says: string): Promise<Seat> => seat(fixture, groupId, says, { instanceId: `instance-${says}` });
  const first = { a: await open('a') };
  await first.a.in('a');
  const b = await open('b');
  await b.in('a', 'b');
  await first.a.in('a', 'b');
  const { generation } = b;
  first.a.member.close();
  const a = await open('a');
  await a.in('a', 'b');
  expect(a.generation).toBe(generation);
  expect(a.isLeader).toBe(true);
  expect(a.asked).toEqual([]);
  b.member.close();
  const again = await open('b');
  await again.in('a', 'b');
  expect(again.generation).toBe(generation);
  expect(a.names().filter((name) => name === 'REBALANCING')).toEqual([]);
  // The leader that came back leads: what a member has to say reaches it.
  again.says = 'b2';
  again.member.rejoin();
  await a.in('a', 'b2');
  expect(saying(a.asked.at(-1)!)).toBe('a,b2');
}

async function instanceTaken(fixture: LogFixture): Promise<void> {
  const groupId = fixture.harness.uniqueName('group');
  const former = await seat(fixture, groupId, 'a', { instanceId: 'instance' });
  await former.in('a');
  const membership = former.member.membership!;
  const next = await seat(fixture, groupId, 'a', { instanceId: 'instance' });
  await next.in('a');
  await fixture.until('the former process is fenced', () => former.member.state.name === 'FENCED');
  expect(await rejection(former.member.confirm())).toMatchObject({ kind: 'fenced' });
  expect(await commitAs(fixture, former.log, membership)).toBe('fenced');
  expect((await next.member.confirm()).memberId).not.toBe(membership.memberId);
}

async function badLeader(fixture: LogFixture): Promise<void> {
  const groupId = fixture.harness.uniqueName('group');
  const a = await seat(fixture, groupId, 'a', {
    assign: () => {
      throw new Error('no plan');
    },
  });
  await fixture.until('it has failed', () => a.member.state.name === 'FAILED');
  expect(a.member.state).toMatchObject({ error: { message: 'no plan' } });
  const b = await seat(fixture, groupId, 'b');
  await b.in('b');
}

async function endsWithLog(fixture: LogFixture): Promise<void> {
  const { all } = await seats(fixture, ['a']);
  const [a] = all as [Seat];
  await a.log.close();
  expect(a.member.state.name).toBe('LEFT');
  const calls = a.states.length;
  await fixture.quiet();
  expect(a.states).toHaveLength(calls);
}
