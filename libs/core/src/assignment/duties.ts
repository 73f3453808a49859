import type { AssignableMember, TaskOrders } from './assign-tasks.js';

/**
 * What one replica is about to do with its tasks: the other half of the handover (H1 to H4 in assign-tasks.ts), as a pure machine. Its
 * caller starts and closes tasks, keeps the timer, and joins again whenever what `reportOf` says has changed.
 *
 *   (none) --run--> RUNNING --not run any more--> LEAVING --closed--> (none), or RUNNING if told to run it meanwhile
 *      \--await--> AWAITING --run, or overdue--> RUNNING
 *
 * - D1. A task that is told to run, and runs, is left alone (H3).
 * - D2. A task is awaited since it was first told so; the generations in between do not begin anew (H2, H4).
 * - D3. A task that was started as overdue is not closed by orders that were made before the leader heard of it: they still say `await`.
 * - D4. What is still being closed is started only once it is closed.
 * - D5. What is overdue is started only while the member is STABLE, so its caller asks `startOverdue` only then. In the midst of a round the
 *   leader may already have this replica's report without the task, and its owner's, which has just closed it: it would tell a third to
 *   run it at once. (The log would fence one of the two; the simulation found it in 2 of 1,200 runs.)
 */
export interface Duties {
  readonly running: ReadonlySet<string>;
  /** Tasks being closed, and whether each is to be started again once it is. */
  readonly leaving: ReadonlyMap<string, boolean>;
  /** Tasks awaited, and since when, in milliseconds of the monotonic clock. */
  readonly awaiting: ReadonlyMap<string, number>;
}

export interface DutyStep {
  readonly duties: Duties;
  /** To be started now, each from its claim on. */
  readonly start: readonly string[];
  /** To be closed now, each with a final checkpoint; `closed` is called when it is. */
  readonly close: readonly string[];
}

/** Of a replica that has just begun, or that was counted out: what it ran is dropped without a checkpoint, for others may run it. */
export const NO_DUTIES: Duties = { running: new Set(), leaving: new Map(), awaiting: new Map() };

/** @param now monotonic milliseconds */
export function obey(duties: Duties, orders: TaskOrders, now: number): DutyStep {
  const ordered = new Set(orders.run);
  const awaited = orders.await.map(({ task }) => task);
  const close = [...duties.running].filter((task) => !ordered.has(task) && !awaited.includes(task)); // D1, D3
  const start = orders.run.filter((task) => !duties.running.has(task) && !duties.leaving.has(task)); // D1, D4
  const running = new Set([...duties.running, ...start]);
  const leaving = new Map([...duties.leaving.keys()].map((task) => [task, ordered.has(task)]));
  for (const task of close) {
    running.delete(task);
    leaving.set(task, false);
  }
  const awaiting = new Map(awaited.filter((task) => !running.has(task)).map((task) => [task, duties.awaiting.get(task) ?? now])); // D2
  return { duties: { running, leaving, awaiting }, start, close };
}

/** A task is closed, or was lost on the way: either way this replica has it no more. */
export function closed(duties: Duties, task: string): DutyStep {
  const leaving = new Map(duties.leaving);
  const again = leaving.get(task) === true;
  leaving.delete(task);
  const running = again ? new Set([...duties.running, task]) : duties.running;
  return { duties: { ...duties, running, leaving }, start: again ? [task] : [], close: [] };
}

/** Starts what was awaited for as long as the handover timeout (H2). Only while STABLE (D5). */
export function startOverdue(duties: Duties, now: number, handoverTimeoutMs: number): DutyStep {
  const overdue = [...duties.awaiting].filter(([, since]) => now - since >= handoverTimeoutMs).map(([task]) => task);
  const start = overdue.filter((task) => !duties.leaving.has(task)); // D4
  const awaiting = new Map([...duties.awaiting].filter(([task]) => !overdue.includes(task)));
  const leaving = new Map([...duties.leaving].map(([task, again]) => [task, again || overdue.includes(task)]));
  return { duties: { running: new Set([...duties.running, ...start]), leaving, awaiting }, start, close: [] };
}

/** When `startOverdue` has something to start, in monotonic milliseconds; undefined if nothing is awaited. */
export function overdueAt(duties: Duties, handoverTimeoutMs: number): number | undefined {
  return duties.awaiting.size === 0 ? undefined : Math.min(...duties.awaiting.values()) + handoverTimeoutMs;
}

/** The part of a replica's report that is about its tasks. */
export function reportOf({ running, leaving, awaiting }: Duties): Pick<AssignableMember, 'running' | 'leaving' | 'awaiting'> {
  return { running: [...running], leaving: [...leaving.keys()], awaiting: [...awaiting.keys()] };
}
