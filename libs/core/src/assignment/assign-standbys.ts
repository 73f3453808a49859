/**
 * Who keeps a copy of which task's state, so as to take over in seconds: each task's on `standbys` members that do not run it, or on all
 * others if they are fewer. Copies that are there stay (the nearest to the end first), as long as no member has more than its part of all;
 * the rest goes to whoever has the fewest. A member has more than its part only where every other has the task already.
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
): ReadonlyMap<string, readonly number[]> {
  const perTask = Math.min(standbys, members - 1);
  const part = Math.ceil((tasks.length * perTask) / members);
  const loads = new Array<number>(members).fill(0);
  const kept = new Map<string, number[]>(tasks.map((task) => [task, []]));
  const give = (task: string, member: number): void => {
    kept.get(task)!.push(member);
    loads[member]!++;
  };
  const isFree = (task: string, member: number): boolean => owners.get(task) !== member && !kept.get(task)!.includes(member);

  const everyone = Array.from({ length: members }, (_, member) => member);
  const present = tasks.flatMap((task) => everyone.map((member) => ({ task, member, lag: lagOf(task, member) })));
  const near = present.filter(({ lag }) => lag < Infinity);
  for (const { task, member } of near.sort((a, b) => a.lag - b.lag)) {
    if (kept.get(task)!.length < perTask && loads[member]! < part && isFree(task, member)) give(task, member);
  }
  for (const task of tasks) {
    while (kept.get(task)!.length < perTask) {
      const free = everyone.filter((member) => isFree(task, member));
      give(task, free.reduce((least, member) => (loads[member]! < loads[least]! ? member : least)));
    }
  }
  return kept;
}
