import type { TaskCopy, TaskOrders } from '../assignment/assign-tasks.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { StateBackend, StateStore, StoreScope } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import { Standby, type StandbyEnd } from '../task/standby.js';
import { taskName, type TaskPlan } from '../task/task-plan.js';
import { taskId } from './internal-topics.js';
import type { StandbyOverview } from './job-overview.js';

/**
 * The standbys of a replica: which copies it keeps, by the orders of its group, and how a task comes by one. It stands between the tasks and
 * the backend: what a task opens is taken over from the copy, if there is one, open as it is. So nothing is closed and opened again in a
 * promotion, a copy on the heap is not lost by it, and until the task has come so far the copy goes on following.
 *
 *   copy:  NONE --told to keep it, and no task here has the store--> FOLLOWS --a task opens the store--> ENDS --> NONE: the store is the task's
 *           ^                                                        |     |
 *           |                                             (timer)    |     +--not to be kept any more--> ENDS --> NONE
 *           +--not to be kept any more-- WAITS <--failed-------------+
 *
 * A task that leaves this replica may become a standby here: once it has closed its store (`settle`). What fails here fails no job: the copy
 * begins anew, ever later, and says so.
 *
 * Invariant
 *   A store has one user at a time, the task or the copy. A copy begins only while no task of that name is this replica's or still ends
 *   here; a task waits for the copy to let go.
 */
export interface StandbysHost {
  /** Stays the caller's: `close` here ends the copies alone. */
  readonly backend: StateBackend;
  readonly log: Log;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Whether a task is this replica's, or still ends here. */
  isBusy(task: string): boolean;
}

/** Milliseconds before a failed copy begins anew: the first time, and at most. */
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** Reported of a copy that does not know yet what it lacks: more than any that does. */
const UNKNOWN_LAG = Number.MAX_SAFE_INTEGER;

type CopyState =
  | { readonly state: 'NONE' }
  | { readonly state: 'FOLLOWS'; readonly standby: Standby; readonly ended: Promise<StandbyEnd> }
  | { readonly state: 'ENDS'; readonly ended: Promise<StandbyEnd> }
  | { readonly state: 'WAITS'; readonly standby: Standby; readonly cancel: Cancel };

interface Copy {
  readonly plan: TaskPlan;
  isWanted: boolean;
  current: CopyState;
  /** Failures since it followed last. */
  failures: number;
  /** Why the local store must not be used; until an attempt has come so far as to destroy it. */
  distrust: string | undefined;
}

export class Standbys implements StateBackend {
  readonly #copies: ReadonlyMap<string, Copy>;
  #isClosed = false;

  /** @param plans of every task of the job */
  constructor(
    plans: readonly TaskPlan[],
    private readonly host: StandbysHost,
  ) {
    const copyOf = (plan: TaskPlan): Copy => ({ plan, isWanted: false, current: { state: 'NONE' }, failures: 0, distrust: undefined });
    this.#copies = new Map(plans.map((plan) => [taskName(plan), copyOf(plan)]));
  }

  // ---- which copies are kept ----

  /** Keeps the copies that the orders say, and those of awaited tasks: they are about to be used. */
  obey(orders: TaskOrders): void {
    const wanted = new Set([...orders.standby, ...orders.await.map(({ task }) => task)]);
    for (const [name, copy] of this.#copies) {
      copy.isWanted = wanted.has(name) && (copy.current.state !== 'NONE' || orders.standby.includes(name));
      this.settle(name);
    }
  }

  /** Takes up or ends a copy, where that is due: also called when a task has ended. */
  settle(name: string): void {
    const copy = this.#copies.get(name)!;
    const { current } = copy;
    const isBusy = this.host.isBusy(name);
    const isDue = copy.isWanted && !isBusy && !this.#isClosed;
    if (current.state === 'NONE' && isDue) this.#begin(copy);
    if (current.state === 'FOLLOWS' && !isDue && (!isBusy || this.#isClosed)) void this.#endBy(copy, current, () => current.standby.close());
    if (current.state === 'WAITS' && !isDue) {
      current.cancel();
      copy.current = { state: 'NONE' };
    }
  }

  /** What this replica has of the state of tasks that it does not run: part of its report to the group. */
  get report(): TaskCopy[] {
    return [...this.#copies].flatMap(([task, { current }]) => {
      return current.state === 'FOLLOWS' ? [{ task, lag: current.standby.lag ?? UNKNOWN_LAG }] : [];
    });
  }

  overview(): StandbyOverview[] {
    return [...this.#copies.values()].flatMap(({ plan, current }) => {
      if (current.state !== 'FOLLOWS' && current.state !== 'WAITS') return [];
      const { status, statusSince, position, lag, records } = current.standby;
      return [{ subTopology: plan.subTopology, task: plan.task, status, statusSince, position, lag, records }];
    });
  }

  #begin(copy: Copy): void {
    const standby = new Standby(copy.plan, this.host, copy.distrust);
    const ended = standby.run().then((end) => this.#onEnd(copy, standby, end));
    copy.current = { state: 'FOLLOWS', standby, ended };
  }

  #endBy(copy: Copy, { ended }: { readonly ended: Promise<StandbyEnd> }, end: () => void): Promise<StandbyEnd> {
    copy.current = { state: 'ENDS', ended };
    end();
    return ended;
  }

  #onEnd(copy: Copy, standby: Standby, end: StandbyEnd): StandbyEnd {
    const wasEnded = copy.current.state === 'ENDS';
    copy.current = { state: 'NONE' };
    if (end.type === 'failed') this.#onFailure(copy, standby, end.error, wasEnded);
    else copy.distrust = undefined;
    this.settle(taskName(copy.plan)); // it may have been told to keep it again meanwhile
    return end;
  }

  #onFailure(copy: Copy, standby: Standby, error: Error, wasEnded: boolean): void {
    if (isWeirError(error, 'rebuild-state')) copy.distrust = error.message;
    else if (standby.position !== undefined) copy.distrust = undefined; // it came so far as to destroy it
    if (wasEnded) return;
    copy.failures = standby.hasFollowed ? 1 : copy.failures + 1;
    const retryInMs = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (copy.failures - 1));
    const { job, subTopology, task } = copy.plan;
    this.host.telemetry.emit({ type: 'standby-failed', job, subTopology, task, error, retryInMs });
    const again = (): void => {
      copy.current = { state: 'NONE' };
      this.settle(taskName(copy.plan));
    };
    copy.current = { state: 'WAITS', standby, cancel: this.host.clock.after(retryInMs, again) };
  }

  // ---- the backend of tasks ----

  get kind(): StateBackend['kind'] {
    return this.host.backend.kind;
  }

  async beforeClaim(scope: StoreScope): Promise<void> {
    await this.host.backend.beforeClaim?.(scope);
  }

  /** Takes over the store of the copy, where there is one. */
  async open(scope: StoreScope): Promise<StateStore> {
    const end = await this.#letGo(scope, (standby) => standby.release());
    return end?.type === 'released' ? end.store : this.host.backend.open(scope);
  }

  async destroy(scope: StoreScope): Promise<void> {
    const end = await this.#letGo(scope, (standby) => standby.close());
    if (end?.type === 'released') await end.store.close();
    await this.host.backend.destroy(scope);
  }

  async dropSnapshots(scope: StoreScope): Promise<void> {
    await this.host.backend.dropSnapshots?.(scope);
  }

  async #letGo({ subTopology, task }: StoreScope, end: (standby: Standby) => void): Promise<StandbyEnd | undefined> {
    const copy = this.#copies.get(taskId(subTopology, task))!;
    const { current } = copy;
    switch (current.state) {
      case 'FOLLOWS':
        return this.#endBy(copy, current, () => end(current.standby));
      case 'ENDS':
        await current.ended; // whoever ended it has what it left
        return undefined;
      case 'WAITS':
        current.cancel();
        copy.current = { state: 'NONE' };
        return undefined;
      case 'NONE':
        return undefined;
    }
  }

  /** Ends every copy, and begins none again; the backend stays open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const name of this.#copies.keys()) this.settle(name);
    await Promise.all([...this.#copies.values()].map(({ current }) => (current.state === 'ENDS' ? current.ended : undefined)));
  }
}
