import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { offset, sleep, type GroupMember, type GroupOptions, type MemberState } from '@weir/core';
import { ClusterClient, clock, uniqueName } from '../spec/cluster-client.js';
import { refusalsOf } from '../spec/refusals.js';
import { CODE } from '../wire/error-codes.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS, type Api } from '../wire/wire.js';

const SESSION_MS = 1_000;

let clients: ClusterClient[];
let groupId: string;

interface Seat {
  readonly client: ClusterClient;
  readonly member: GroupMember;
  readonly states: MemberState[];
}

function seat(options: Partial<GroupOptions> = {}): Seat {
  const client = new ClusterClient();
  clients.push(client);
  const states: MemberState[] = [];
  const member = client.log.joinGroup({
    groupId,
    topics: [],
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    heartbeatMs: 50,
    describe: () => Buffer.from('report'),
    assign: (members) => new Map(members.map(({ memberId }) => [memberId, { partitions: [], data: Buffer.from(`of ${members.length}`) }])),
    onChange: (state) => states.push(state),
    ...options,
  });
  return { client, member, states };
}

beforeEach(() => {
  clients = [];
  groupId = uniqueName('group');
});
afterEach(() => Promise.all(clients.map((client) => client.end())));

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 4_000; i++) {
    if (condition()) return;
    await sleep(clock, 5);
  }
  throw new Error(`Waited in vain until ${what}`);
}

const inGroupOf = ({ member }: Seat, members: number): Promise<void> =>
  until(`the group has ${members} members`, () => member.state.name === 'STABLE' && member.state.standing.share.toString() === `of ${members}`);

/** An answer that has nothing but an error. */
const errorAlone = (code: number): Buffer => Buffer.concat(new ProtocolWriter(true).int32(0).int16(code).tags().finish());

describe('answers that are lost', () => {
  it.each([APIS.findCoordinator, APIS.joinGroup, APIS.syncGroup, APIS.heartbeat])('do not keep a member out: $name', async (api: Api) => {
    const other = seat();
    await inGroupOf(other, 1);
    // A member id whose giving was lost holds the others up for a session: a short one, but long enough for a slow machine.
    const one = seat({ sessionTimeoutMs: 2 * SESSION_MS });
    one.client.wire.strike(api, 'reply lost', 2);
    await inGroupOf(one, 2);
    await inGroupOf(other, 2);
    await one.member.confirm();
    expect(one.client.wire.count(api)).toBeGreaterThan(2);
    expect(one.member.tenure).toBe(1);
    expect(other.member.tenure).toBe(1);
  });
});

describe('a coordinator', () => {
  it.each([CODE.NOT_COORDINATOR, CODE.COORDINATOR_NOT_AVAILABLE])('that has moved (%d) is looked up again, and the member stays', async (code) => {
    const one = seat();
    await inGroupOf(one, 1);
    const before = one.client.wire.count(APIS.findCoordinator);
    one.client.wire.strike(APIS.heartbeat, errorAlone(code), 2);
    await until('it is looked up', () => one.client.wire.count(APIS.findCoordinator) > before);
    await one.member.confirm();
    expect(one.member.state.name).toBe('STABLE');
    expect(one.member.tenure).toBe(1);
  });

  it.each(
    ['JoinGroup', 'SyncGroup', 'Heartbeat'].flatMap((call) =>
      (['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS', 'REQUEST_TIMED_OUT', 'NETWORK_EXCEPTION'] as const).map((name) => [call, name] as const),
    ),
  )('that answers %s with %s keeps nobody out: it is asked again', async (call, name) => {
    const one = seat({ sessionTimeoutMs: 2 * SESSION_MS });
    one.client.wire.strike({ name: call }, refusalsOf(1, { topic: '', partition: 0 })[call]!(CODE[name]), 2);
    await inGroupOf(one, 1);
    await one.member.confirm();
    expect(one.client.wire.requests.filter(({ api }) => api === call).length).toBeGreaterThan(call === 'Heartbeat' ? 0 : 2);
    expect(one.member.tenure).toBe(1);
  });

  it('that still loads is asked again', async () => {
    const one = seat();
    await inGroupOf(one, 1);
    one.client.wire.strike(APIS.heartbeat, errorAlone(CODE.COORDINATOR_LOAD_IN_PROGRESS), 3);
    await one.member.confirm();
    expect(one.member.tenure).toBe(1);
  });

  it('that cannot be reached for a session leaves a member in doubt; it has been counted out, and comes back with another tenure', async () => {
    const [one, other] = [seat({ sessionTimeoutMs: SESSION_MS }), seat()];
    await inGroupOf(one, 2);
    await inGroupOf(other, 2);
    const former = one.member.membership!;
    one.client.wire.fault = ({ api }) => (api === 'Heartbeat' || api === 'JoinGroup' ? 'unreachable' : undefined);
    await until('it is in doubt', () => one.member.state.name === 'IN_DOUBT');
    await inGroupOf(other, 1);
    const confirmed = one.member.confirm().catch((thrown: unknown) => thrown);
    one.client.wire.fault = () => undefined;
    expect(await confirmed).toMatchObject({ kind: 'fenced', code: 'MEMBERSHIP_LOST' });
    await inGroupOf(one, 2);
    expect(one.member.tenure).toBeGreaterThan(1);
    expect(one.member.membership!.memberId).not.toBe(former.memberId);
    const topic = await one.client.topic();
    const transaction = (await one.client.writer()).begin();
    await expect(transaction.addOffsets(former, [{ topic, partition: 0, offset: offset(1) }])).rejects.toMatchObject({ code: 'LOG_MEMBER_STALE' });
  });

  it('that cannot be reached for less than a session changes nothing', async () => {
    const one = seat();
    await inGroupOf(one, 1);
    const { length } = one.states;
    let left = 5;
    one.client.wire.fault = ({ api }) => (api === 'Heartbeat' && left-- > 0 ? (left % 2 === 0 ? 'unreachable' : 'reply lost') : undefined);
    await until('the faults are over', () => left < 0);
    await one.member.confirm();
    expect(one.states).toHaveLength(length);
  });
});

describe('a group', () => {
  it('says why it refuses a session timeout', async () => {
    const one = seat({ sessionTimeoutMs: 10 });
    await until('it has failed', () => one.member.state.name === 'FAILED');
    const { error } = one.member.state as Extract<MemberState, { name: 'FAILED' }>;
    expect(error).toMatchObject({ kind: 'invalid', code: 'KAFKA_CALL_REFUSED' });
    expect(error.message).toContain('group.min.session.timeout.ms');
  });

  it('that has members of another kind is refused, and they are left alone', async () => {
    const client = new ClusterClient();
    clients.push(client);
    // The coordinator is found, and known to the wire, once the group was asked for.
    const probe = client.log.joinGroup({
      groupId: uniqueName('other'),
      topics: [],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      describe: () => Buffer.alloc(0),
      assign: () => new Map(),
      onChange: () => undefined,
    });
    await probe.confirm();
    const node = client.wire.requests.find(({ api }) => api === 'JoinGroup')!.node;
    const foreign = new ProtocolWriter(true).string(groupId).int32(10_000).int32(10_000).string('').string('foreign').string('consumer');
    foreign.count(1).string('range').bytes(Buffer.alloc(0)).tags().string(null).tags();
    const answer = await client.wire.send(node, 'group-9', APIS.joinGroup, foreign.finish());
    expect(answer.readInt16BE(4)).toBe(CODE.NONE);
    const one = seat();
    await until('it has failed', () => one.member.state.name === 'FAILED');
    const { error } = one.member.state as Extract<MemberState, { name: 'FAILED' }>;
    expect(error.message).toContain('INCONSISTENT_GROUP_PROTOCOL');
    expect(error.message).toContain('give each application a group of its own');
  });
});
