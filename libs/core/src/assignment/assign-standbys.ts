/**
 * Who keeps a copy of which task's state, so as to take over in seconds: each task's on `standbys` members that do not run it, or on all
 * others if they are fewer.
 *
 *  1. Copies that are there stay, the nearest to the end first.
 *  2. What is missing goes to whoever has the fewest tasks and copies together, of equals to who runs the fewest: there is room for its task
 *     when its owner dies.
 *  3. While one member has two more of both than another that could take a copy over, it does: what lacks most goes first.
 *
 * So what came out once comes out again as it is. Chains of moves are not looked for: a member may keep one or two more than its part.
 *
 * @param owners who runs each task, by index of the member
 * @param lagOf what a member's copy of a task lacks; Infinity for none
 * @returns members by task
 */
export function assignStandbys(
  tasks: readonly string[],
  members: number,
  standbys: number,
  owners: ReadonlyMap<string, number>,
  lagOf: (task: string, member: number) => number,
): ReadonlyMap<string, ReadonlySet<number>> {
  const keeping = new Keeping(tasks, members, owners);
  const perTask = Math.min(standbys, members - 1);
  const lacks = (task: string): boolean => keeping.of(task).size < perTask;
  const everyone = Array.from({ length: members }, (_, member) => member);

  const present = tasks.flatMap((task) => everyone.map((member) => ({ task, member, lag: lagOf(task, member) })));
  const near = present.filter(({ lag }) => lag < Infinity).sort((a, b) => a.lag - b.lag);
  for (const { task, member } of near) if (lacks(task) && keeping.isFree(task, member)) keeping.give(task, member); // 1
  for (const task of tasks) while (lacks(task)) keeping.give(task, keeping.leastOf(everyone.filter((member) => keeping.isFree(task, member)))); // 2
  while (keeping.evenOut(lagOf)); // 3
  return keeping.kept;
}

class Keeping {
  readonly kept: Map<string, Set<number>>;
  /** Tasks that it runs and copies that it keeps, by member. */
  readonly #loads: number[];
  readonly #runs: readonly number[];

  constructor(
    private readonly tasks: readonly string[],
    members: number,
    private readonly owners: ReadonlyMap<string, number>,
  ) {
    this.kept = new Map(tasks.map((task) => [task, new Set()]));
    const runs = new Array<number>(members).fill(0);
    for (const owner of owners.values()) runs[owner]!++;
    this.#runs = runs;
    this.#loads = [...runs];
  }

  of(task: string): ReadonlySet<number> {
    return this.kept.get(task)!;
  }

  isFree(task: string, member: number): boolean {
    return this.owners.get(task) !== member && !this.of(task).has(member);
  }

  give(task: string, member: number): void {
    this.kept.get(task)!.add(member);
    this.#loads[member]!++;
  }

  leastOf(members: readonly number[]): number {
    const before = (a: number, b: number): boolean => this.#loads[a]! < this.#loads[b]! || (this.#loads[a] === this.#loads[b] && this.#runs[a]! < this.#runs[b]!);
    return members.reduce((least, member) => (before(member, least) ? member : least));
  }

  /** One move from the most to the least, of those that make it more even. @returns whether there was one */
  evenOut(lagOf: (task: string, member: number) => number): boolean {
    const order = this.#loads.map((_, member) => member).sort((a, b) => this.#loads[b]! - this.#loads[a]! || a - b);
    for (const from of order) {
      for (const to of [...order].reverse()) {
        if (this.#loads[from]! - this.#loads[to]! < 2) break;
        const movable = this.tasks.filter((task) => this.of(task).has(from) && this.isFree(task, to));
        const [task] = movable.sort((a, b) => farthest(lagOf(a, from), lagOf(b, from)));
        if (task === undefined) continue;
        this.kept.get(task)!.delete(from);
        this.#loads[from]!--;
        this.give(task, to);
        return true;
      }
    }
    return false;
  }
}

const farthest = (a: number, b: number): number => (a === b ? 0 : b - a);
