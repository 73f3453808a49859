import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assignTasks, type AssignableMember, type TaskOrders } from './assign-tasks.js';

type Orders = ReadonlyMap<string, TaskOrders>;

const tasksOf = (sizes: readonly number[]): string[][] => sizes.map((size, sub) => Array.from({ length: size }, (_, task) => `${sub}-${task}`));

const named = (name: string, state: Partial<AssignableMember> = {}): AssignableMember => ({
  memberId: `id of ${name}`,
  replica: name,
  running: [],
  leaving: [],
  awaiting: [],
  copies: [],
  ...state,
});

const assign = (sizes: readonly number[], members: readonly AssignableMember[], standbys = 0): Orders =>
  assignTasks({ subTopologies: tasksOf(sizes), members, standbys });

/** What a replica ends up with, whether at once or after a handover. */
const given = (orders: Orders, { memberId }: AssignableMember): string[] => {
  const own = orders.get(memberId)!;
  return [...own.run, ...own.await.map(({ task }) => task)];
};

const countsOf = (tasks: readonly string[], orders: Orders, members: readonly AssignableMember[]): number[] =>
  members.map((member) => given(orders, member).filter((task) => tasks.includes(task)).length);

const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);

/** Members as they are once everybody has done as told. */
const settled = (orders: Orders, members: readonly AssignableMember[]): AssignableMember[] =>
  members.map((member) => named(member.replica, { running: given(orders, member), copies: orders.get(member.memberId)!.standby.map((task) => ({ task, lag: 0 })) }));

interface Scene {
  readonly sizes: readonly number[];
  readonly members: readonly AssignableMember[];
}

/** Jobs and groups in any state, also ones that no run of the protocol brings about: two owners, unknown tasks. */
const scenes = (mostMembers = 6, mostTasks = 9): fc.Arbitrary<Scene> =>
  fc.record({ sizes: fc.array(fc.nat({ max: mostTasks }), { minLength: 1, maxLength: 4 }), count: fc.integer({ min: 1, max: mostMembers }) }).chain(({ sizes, count }) => {
    const tasks = [...tasksOf(sizes).flat(), 'unknown'];
    const one = (at: number): fc.Arbitrary<AssignableMember> =>
      fc
        .record({
          running: fc.subarray(tasks),
          leaving: fc.subarray(tasks),
          awaiting: fc.subarray(tasks),
          copies: fc.array(fc.record({ task: fc.constantFrom(...tasks), lag: fc.nat({ max: 5 }) }), { maxLength: 6 }),
        })
        .map((state) => named(`replica-${at}`, state));
    return fc.record({ sizes: fc.constant(sizes), members: fc.tuple(...Array.from({ length: count }, (_, at) => one(at))) });
  });

/** Each task run by one of the members at most, as in a group that is well. */
const owned = (mostMembers: number, sizes: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Scene> =>
  fc.record({ sizes, count: fc.integer({ min: 1, max: mostMembers }) }).chain(({ sizes: drawn, count }) => {
    const tasks = tasksOf(drawn).flat();
    return fc.array(fc.integer({ min: -1, max: count - 1 }), { minLength: tasks.length, maxLength: tasks.length }).map((owners) => ({
      sizes: drawn,
      members: Array.from({ length: count }, (_, at) => named(`replica-${at}`, { running: tasks.filter((_task, i) => owners[i] === at) })),
    }));
  });

/** Every division that is even in each sub-topology and over all: rows of 0 or 1 extras. */
function* evenDivisions(sizes: readonly number[], members: number): Generator<number[][]> {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const rows = sizes.map((size) =>
    Array.from({ length: 2 ** members }, (_, bits) => Array.from({ length: members }, (_unused, m) => (bits >> m) & 1))
      .filter((row) => row.reduce((sum, one) => sum + one, 0) === size % members)
      .map((row) => row.map((one) => Math.floor(size / members) + one)),
  );
  function* from(sub: number, chosen: number[][]): Generator<number[][]> {
    if (sub === rows.length) {
      const loads = Array.from({ length: members }, (_, m) => chosen.reduce((sum, row) => sum + row[m]!, 0));
      if (loads.every((load) => load === Math.floor(total / members) || load === Math.ceil(total / members))) yield chosen;
      return;
    }
    for (const row of rows[sub]!) yield* from(sub + 1, [...chosen, row]);
  }
  yield* from(0, []);
}

describe('the assignor', () => {
  it('A1: gives every task to exactly one member, whatever they report', () => {
    fc.assert(
      fc.property(scenes(), ({ sizes, members }) => {
        const orders = assign(sizes, members);
        expect(members.flatMap((member) => given(orders, member)).sort()).toEqual(tasksOf(sizes).flat().sort());
      }),
    );
  });

  it('A2: is even within one, in each sub-topology and over all of them', () => {
    fc.assert(
      fc.property(scenes(), ({ sizes, members }) => {
        const orders = assign(sizes, members);
        for (const tasks of [...tasksOf(sizes), tasksOf(sizes).flat()]) expect(spread(countsOf(tasks, orders, members))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('A3: moves as few running tasks as any even division would: all of them were tried', () => {
    const small = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(owned(4, small), ({ sizes, members }) => {
        const orders = assign(sizes, members);
        const kept = members.reduce((sum, member) => sum + given(orders, member).filter((task) => member.running.includes(task)).length, 0);
        const held = tasksOf(sizes).map((tasks) => members.map(({ running }) => running.filter((task) => tasks.includes(task)).length));
        let most = 0;
        for (const division of evenDivisions(sizes, members.length)) {
          most = Math.max(most, division.reduce((sum, row, sub) => sum + row.reduce((keep, count, m) => keep + Math.min(count, held[sub]![m]!), 0), 0));
        }
        expect(kept).toBe(most);
      }),
      { numRuns: 300 },
    );
  });

  it('A3: moves nothing once everybody has done as told', () => {
    fc.assert(
      fc.property(scenes(), fc.nat({ max: 2 }), ({ sizes, members }, standbys) => {
        const once = assign(sizes, members, standbys);
        const now = settled(once, members);
        const twice = assign(sizes, now, standbys);
        for (const member of now) expect(new Set(twice.get(member.memberId)!.run)).toEqual(new Set(member.running));
        for (const { memberId } of now) expect(twice.get(memberId)).toMatchObject({ await: [], standby: once.get(memberId)!.standby });
      }),
      { numRuns: 300 },
    );
  });

  it('A3: takes from each no more than the newcomer gets, and of who is gone gives only what it had', () => {
    const one = fc.nat({ max: 30 }).map((size) => [size]);
    fc.assert(
      fc.property(owned(6, one), ({ sizes, members }) => {
        const group = settled(assign(sizes, members), members);
        const newcomer = named('replica-00');
        const grown = assign(sizes, [...group, newcomer]);
        const moved = group.flatMap((member) => member.running.filter((task) => !given(grown, member).includes(task)));
        expect(moved.sort()).toEqual(given(grown, newcomer).sort());
        const [, ...rest] = group;
        const shrunk = assign(sizes, rest);
        for (const member of rest) expect(given(shrunk, member)).toEqual(expect.arrayContaining([...member.running]));
      }),
    );
  });

  it('A4: does not depend on the order of members, or of what they report', () => {
    fc.assert(
      fc.property(scenes(), fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), fc.nat({ max: 2 }), ({ sizes, members }, random, standbys) => {
        const shuffled = <T>(values: readonly T[]): T[] => values.map((value) => [random.next().value as number, value] as const).sort(([a], [b]) => a - b).map(([, value]) => value);
        const other = shuffled(members).map((member) => ({
          ...member,
          running: shuffled(member.running),
          leaving: shuffled(member.leaving),
          awaiting: shuffled(member.awaiting),
          copies: shuffled(member.copies),
        }));
        const orders = assign(sizes, members, standbys);
        const again = assign(sizes, other, standbys);
        for (const { memberId } of members) expect(again.get(memberId)).toEqual(orders.get(memberId));
      }),
    );
  });

  it('H1: tells nobody to run what another has, and names a replica that has it', () => {
    fc.assert(
      fc.property(scenes(), ({ sizes, members }) => {
        const orders = assign(sizes, members);
        const has = (member: AssignableMember, task: string): boolean => member.running.includes(task) || member.leaving.includes(task);
        for (const member of members) {
          const own = orders.get(member.memberId)!;
          for (const task of own.run) if (!member.running.includes(task)) expect(members.filter((other) => other !== member && has(other, task))).toEqual([]);
          for (const { task, from } of own.await) expect(members.some((other) => other !== member && other.replica === from && has(other, task))).toBe(true);
        }
      }),
    );
  });

  it('leaves members without work where there are more of them than tasks', () => {
    const members = ['a', 'b', 'c', 'd', 'e'].map((name) => named(name));
    const orders = assign([2, 1], members);
    expect(members.map((member) => given(orders, member).length).sort()).toEqual([0, 0, 1, 1, 1]);
  });

  it('gives one member everything, and has nothing to say to none', () => {
    expect(assign([2, 1], [named('a')]).get('id of a')).toEqual({ run: ['0-0', '0-1', '1-0'], await: [], standby: [] });
    expect(assign([2], []).size).toBe(0);
  });

  it('divides hundreds of tasks of 10 sub-topologies among members that come in nines', () => {
    const sizes = Array.from({ length: 10 }, (_, sub) => 31 + 2 * sub);
    let members: AssignableMember[] = [];
    for (let count = 9; count <= 54; count += 9) {
      members = [...members, ...Array.from({ length: 9 }, (_, i) => named(`replica-${count - i}`))];
      const orders = assign(sizes, members, 1);
      members = settled(orders, members);
      expect(spread(members.map(({ running }) => running.length))).toBeLessThanOrEqual(1);
    }
  });
});

describe('where a task goes', () => {
  it('goes to who awaits it, before who has a copy, before anybody', () => {
    const a = named('a', { copies: [{ task: '0-0', lag: 0 }] });
    const b = named('b', { awaiting: ['0-0'], copies: [{ task: '0-1', lag: 9 }] });
    const c = named('c', { copies: [{ task: '0-1', lag: 3 }] });
    const orders = assign([3], [a, b, c]);
    expect([a, b, c].map((member) => given(orders, member))).toEqual([['0-2'], ['0-0'], ['0-1']]);
  });

  it('moves rather what the newcomer has a copy of, and of several copies the nearest', () => {
    const a = named('a', { running: ['0-0', '0-1', '0-2', '0-3'] });
    const b = named('b', { copies: [{ task: '0-1', lag: 50 }, { task: '0-2', lag: 5 }, { task: '0-3', lag: 500 }] });
    expect(given(assign([4], [a, b]), b).sort()).toEqual(['0-1', '0-2']);
  });

  it('goes back to the replica that still closes it when the one that was to have it is gone', () => {
    const a = named('a', { running: ['0-1'], leaving: ['0-0'] });
    const b = named('b', { running: ['0-2'] });
    expect(assign([3], [a, b]).get('id of a')!.run).toEqual(['0-0', '0-1']);
  });

  it('goes on to be awaited by the same replica while its owner closes it, whoever joins meanwhile', () => {
    const a = named('a', { running: ['0-0', '0-1'], leaving: ['0-2', '0-3'] });
    const b = named('b', { awaiting: ['0-2', '0-3'] });
    const orders = assign([4], [a, b, named('aa')]);
    expect(orders.get('id of b')!.await).toHaveLength(1);
    expect(orders.get('id of aa')!.await).toHaveLength(1);
    expect(assign([4], [a, b]).get('id of b')!.await).toEqual([{ task: '0-2', from: 'a' }, { task: '0-3', from: 'a' }]);
  });
});

describe('standbys', () => {
  it('are on as many other members as there are, up to the number asked for', () => {
    fc.assert(
      fc.property(scenes(), fc.nat({ max: 3 }), ({ sizes, members }, standbys) => {
        const orders = assign(sizes, members, standbys);
        for (const task of tasksOf(sizes).flat()) {
          const keepers = members.filter(({ memberId }) => orders.get(memberId)!.standby.includes(task));
          expect(keepers).toHaveLength(Math.min(standbys, members.length - 1));
          for (const keeper of keepers) expect(given(orders, keeper)).not.toContain(task);
        }
      }),
    );
  });

  it('are spread over the members: none has more than two above its part', () => {
    fc.assert(
      fc.property(scenes(), fc.integer({ min: 1, max: 2 }), ({ sizes, members }, standbys) => {
        const orders = assign(sizes, members, standbys);
        const loads = members.map(({ memberId }) => orders.get(memberId)!.standby.length);
        const all = loads.reduce((sum, load) => sum + load, 0);
        expect(Math.max(...loads)).toBeLessThanOrEqual(Math.ceil(all / members.length) + 2);
      }),
    );
  });

  it('stay where copies are, the nearest first', () => {
    const a = named('a', { running: ['0-0'] });
    const b = named('b', { running: ['0-1'], copies: [{ task: '0-0', lag: 7 }] });
    const c = named('c', { running: ['0-2'], copies: [{ task: '0-0', lag: 6 }] });
    const orders = assign([3], [a, b, c], 1);
    expect(orders.get('id of c')!.standby).toEqual(['0-0']);
    expect(orders.get('id of a')!.standby).toEqual(['0-1']);
    expect(orders.get('id of b')!.standby).toEqual(['0-2']);
  });

  it.each([
    [2, 4],
    [3, 4],
    [3, 8],
    [3, 9],
    [4, 8],
    [5, 16],
  ])('lie where there is room for their tasks: of %i replicas any may die, and its part of %i tasks goes to copies, but for one in five', (count, tasks) => {
    let members: readonly AssignableMember[] = Array.from({ length: count }, (_, i) => named(`r${i}`));
    for (let generation = 0; generation < 3; generation++) {
      const orders = assign([tasks], members, 1);
      members = settled(orders, members).map((member) => ({ ...member, copies: orders.get(member.memberId)!.standby.map((task) => ({ task, lag: 0 })) }));
    }
    let toCopies = 0;
    for (const dead of members) {
      const rest = members.filter((member) => member !== dead);
      const orders = assign([tasks], rest, 1);
      for (const heir of rest) toCopies += given(orders, heir).filter((task) => dead.running.includes(task) && heir.copies.some((copy) => copy.task === task)).length;
    }
    expect(toCopies).toBeGreaterThanOrEqual(tasks * 0.8);
  });

  it('move from who has two more than another, what lacks most first', () => {
    const [a, b, d] = [named('a', { running: ['0-0'] }), named('b', { running: ['0-1'] }), named('d', { running: ['0-3'] })];
    const c = named('c', { running: ['0-2'], copies: [{ task: '0-0', lag: 3 }, { task: '0-1', lag: 5 }] });
    const orders = assign([4], [a, b, c, d], 1);
    expect([a, b, c, d].map(({ memberId }) => orders.get(memberId)!.standby)).toEqual([['0-2'], ['0-3'], ['0-0'], ['0-1']]);
  });
});
