import { evenCounts } from './even-counts.js';
import { assignStandbys } from './assign-standbys.js';

/**
 * The assignor: which replica runs which task. Pure; the leader of a generation asks it, and everybody does as it says. The unit is the
 * task: its inputs come with it, so what is partitioned alike is read by one task and goes to one replica.
 *
 * It owns the choice. It does not own how a task is given up or started (job/), nor the bytes (member-report.ts, member-orders.ts).
 *
 * - A1. Complete: every task has exactly one member that is to run it, at once or after a handover.
 * - A2. Even: by one at most, within each sub-topology and over all of them together (even-counts.ts).
 * - A3. Sticky: of all even divisions it takes one that moves the fewest running tasks; among those, one that leaves the most awaited
 *   tasks with who awaits them; among those, one that gives the most others to who has a copy. Tasks that must move are rather those of
 *   which another replica has a copy, and go where it lags least.
 * - A4. Deterministic: the order of members and of what they report changes nothing.
 *
 * How a task moves. Two replicas must not run it at once, and it should not stop for longer than it must:
 * - H1. In the generation that moves a task its owner is no longer told to run it, and its next owner to `await` it. The owner takes a final
 *   checkpoint, closes the task and joins again; the generation after that tells the next owner to `run` it, for nobody has it any more.
 * - H2. An owner that does not give it up in time (it hangs, and goes on with its heartbeats) is not waited for: once the handover timeout
 *   has passed since a replica was first told to await a task, it starts it all the same (between two rounds, D5 in duties.ts). Claiming
 *   the transactional id fences the former owner, and its uncommitted epoch is computed again. So the log guards correctness, and H1 only
 *   saves work.
 * - H3. A task that stays is told to run in every generation: nothing stops or waits for it.
 * - H4. A replica goes on to report a task as leaving until it is closed. Meanwhile it counts as held, so that nobody is told to run it,
 *   but not as one that would stay: the generations in between do not call it back, and whoever awaits it goes on to, from the same
 *   beginning. So a task waits at most one handover timeout, unless its next owner dies, or evenness sends it elsewhere again. A replica
 *   that is told to run what it is about to close closes it, and starts it again.
 *
 * Why not let the next owner claim at once: each move would throw away an epoch, and restore while the owner still works. Why not wait
 * until the owner gives up: one that hangs would hold the task for ever. Who died is in no generation, so its tasks are run at once.
 */
export interface AssignmentInput {
  /** The tasks of the job by sub-topology, each named once. */
  readonly subTopologies: readonly (readonly string[])[];
  readonly members: readonly AssignableMember[];
  /** How many copies of each task's state are kept by replicas that do not run it. */
  readonly standbys: number;
}

export interface AssignableMember {
  readonly memberId: string;
  /** Outlives a member id; what members are ordered by. */
  readonly replica: string;
  readonly running: readonly string[];
  /** Told not to run any more, and not closed yet (H4). */
  readonly leaving: readonly string[];
  /** Told to await, and not started yet. */
  readonly awaiting: readonly string[];
  /** State that it has of tasks that it does not run: as a standby, or left in its store. */
  readonly copies: readonly TaskCopy[];
}

export interface TaskCopy {
  readonly task: string;
  /** Records of the changelog that it has not read yet. */
  readonly lag: number;
}

export interface TaskOrders {
  /** To be run: goes on, or is started now. */
  readonly run: readonly string[];
  /** To be run once nobody has it any more, or after the handover timeout (H1, H2). */
  readonly await: readonly AwaitedTask[];
  /** To keep a copy of. */
  readonly standby: readonly string[];
}

export interface AwaitedTask {
  readonly task: string;
  /** The replica that has it now. */
  readonly from: string;
}

/** @returns what each member is to do, by member id; empty without members */
export function assignTasks({ subTopologies, members: unordered, standbys }: AssignmentInput): ReadonlyMap<string, TaskOrders> {
  const members = [...unordered].sort((a, b) => compare(a.replica, b.replica) || compare(a.memberId, b.memberId)); // A4
  if (members.length === 0) return new Map();
  const claims = new Claims(subTopologies, members);
  const counts = evenCounts(
    subTopologies.map(({ length }) => length),
    members.length,
    (sub, member) => claims.valueOf(sub, member, Math.floor(subTopologies[sub]!.length / members.length)),
  );
  const owners = new Map<string, number>();
  subTopologies.forEach((tasks, sub) => settle(tasks, counts[sub]!, claims, sub, owners));
  const tasks = subTopologies.flat();
  const copies = assignStandbys(tasks, members.length, standbys, owners, (task, member) => claims.lag(task, member));
  return new Map(members.map(({ memberId }, at) => [memberId, ordersOf(at, members, tasks, owners, copies)]));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function ordersOf(
  at: number,
  members: readonly AssignableMember[],
  tasks: readonly string[],
  owners: ReadonlyMap<string, number>,
  copies: ReadonlyMap<string, ReadonlySet<number>>,
): TaskOrders {
  const run: string[] = [];
  const awaited: AwaitedTask[] = [];
  for (const task of tasks) {
    if (owners.get(task) !== at) continue;
    const holds = members[at]!.running.includes(task);
    const has = ({ running, leaving }: AssignableMember): boolean => running.includes(task) || leaving.includes(task);
    const holder = holds ? undefined : members.find((member, other) => other !== at && has(member));
    if (holder === undefined) run.push(task);
    else awaited.push({ task, from: holder.replica });
  }
  return { run, await: awaited, standby: tasks.filter((task) => copies.get(task)!.has(at)) };
}

/** Gives every task of one sub-topology an owner: first to those who keep theirs, then the rest to where copies are, then as it comes. */
function settle(tasks: readonly string[], counts: readonly number[], claims: Claims, sub: number, owners: Map<string, number>): void {
  const room = [...counts];
  for (let member = 0; member < room.length; member++) {
    for (const task of claims.of(sub, member).slice(0, counts[member])) {
      owners.set(task, member);
      room[member]!--;
    }
  }
  const left = tasks.filter((task) => !owners.has(task));
  const offers = left.flatMap((task) => room.map((_, member) => ({ task, member, lag: claims.lag(task, member) })));
  const copies = offers.filter(({ lag }) => lag < Infinity);
  for (const { task, member } of copies.sort((a, b) => a.lag - b.lag)) {
    if (owners.has(task) || room[member] === 0) continue;
    owners.set(task, member);
    room[member]!--;
  }
  for (const task of left) {
    if (owners.has(task)) continue;
    const member = room.findIndex((places) => places > 0);
    owners.set(task, member);
    room[member]!--;
  }
}

/** Who has what of the tasks: at most one member has a claim on each. */
class Claims {
  readonly #lags: ReadonlyMap<string, number>[];
  /** Tasks claimed by sub-topology and member, those first that are to be kept first. */
  readonly #claimed: string[][][];
  /** Of each claim (A3): one that runs outweighs all that are awaited, and one that is awaited all copies. */
  readonly #worths = new Map<string, number>();

  constructor(subTopologies: readonly (readonly string[])[], members: readonly AssignableMember[]) {
    this.#lags = members.map((member) => lagsOf(member));
    const step = 1 + subTopologies.reduce((sum, { length }) => sum + length, 0);
    const runs = members.map(({ running }) => new Set(running));
    const awaits = members.map(({ awaiting }) => new Set(awaiting));
    this.#claimed = subTopologies.map((tasks) => {
      const claimed: string[][] = members.map(() => []);
      for (const task of tasks) {
        const runner = runs.findIndex((running) => running.has(task));
        const awaiter = awaits.findIndex((awaiting) => awaiting.has(task));
        const claimant = runner >= 0 ? runner : awaiter >= 0 ? awaiter : this.#nearest(task);
        if (claimant < 0) continue;
        this.#worths.set(task, runner >= 0 ? step * step : awaiter >= 0 ? step : 1);
        claimed[claimant]!.push(task);
      }
      return claimed.map((own, member) => this.#byWorth(own, member));
    });
  }

  /** The member whose copy of a task lags least; -1 if there is none. */
  #nearest(task: string): number {
    const lags = this.#lags.map((_, member) => this.lag(task, member));
    const least = Math.min(...lags);
    return least === Infinity ? -1 : lags.indexOf(least);
  }

  /** By worth; among equals those first that would be missed most: of which no other member has a copy that is near. */
  #byWorth(tasks: readonly string[], member: number): string[] {
    const nearestElsewhere = (task: string): number =>
      Math.min(...this.#lags.map((_, other) => (other === member ? Infinity : this.lag(task, other))));
    const elsewhere = new Map(tasks.map((task) => [task, nearestElsewhere(task)]));
    const worth = (task: string): number => this.#worths.get(task)!;
    return [...tasks].sort((a, b) => worth(b) - worth(a) || farthest(elsewhere.get(a)!, elsewhere.get(b)!));
  }

  of(sub: number, member: number): readonly string[] {
    return this.#claimed[sub]![member]!;
  }

  /** What it is worth to keep the claim number `at` of a member, counted from 0. */
  valueOf(sub: number, member: number, at: number): number {
    const task = this.of(sub, member)[at];
    return task === undefined ? 0 : this.#worths.get(task)!;
  }

  /** Infinity if a member has no copy of a task. */
  lag(task: string, member: number): number {
    return this.#lags[member]!.get(task) ?? Infinity;
  }
}

const farthest = (a: number, b: number): number => (a === b ? 0 : b - a);

/** What a member has run until now is a copy that lacks nothing. */
function lagsOf({ running, leaving, copies }: AssignableMember): ReadonlyMap<string, number> {
  const lags = new Map<string, number>();
  for (const { task, lag } of copies) lags.set(task, Math.min(lag, lags.get(task) ?? Infinity));
  for (const task of [...running, ...leaving]) lags.set(task, 0);
  return lags;
}
