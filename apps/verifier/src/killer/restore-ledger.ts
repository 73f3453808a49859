import type { JobOverview, TaskOverview } from '@weir/core';
import type { Violations } from '../judge/violation.js';

/** A restore that must have read no more than the tail, to be compared with the largest epoch once that is known. */
export interface TailRestore {
  readonly life: number;
  /** Sub-topology and task. */
  readonly task: string;
  readonly records: number;
}

/**
 * What the lives of a service say about their restores, against what the lives before them left:
 *
 *   G1. No store is given up: no rebuild has a reason.
 *   G2. A store that a former life has filled is read again, unless it was deleted since.
 *   G3. A restore after a kill reads no more than the one epoch that the store may lack; after a stop in order, nothing.
 */
export class RestoreLedger {
  readonly tails: TailRestore[] = [];
  /** Tasks whose store holds something, since the last deletion. */
  #filled = new Set<string>();
  #settled = false;
  #stoppedInOrder = false;
  #restores = 0;
  #records = 0;

  /** @param durable whether the backend outlives the process */
  constructor(
    private readonly durable: boolean,
    private readonly violations: Violations,
  ) {}

  get restores(): number {
    return this.#restores;
  }

  get records(): number {
    return this.#records;
  }

  /** A life came to RUNNING. */
  restored(life: number, job: JobOverview): void {
    for (const task of job.tasks) this.#judge(life, task);
    this.#settled = true;
    this.#stoppedInOrder = false;
  }

  /** The last look at a life before it is hit. */
  seen(job: JobOverview | undefined): void {
    if (!this.durable || job === undefined || job.checkpoints.completed === 0) return;
    for (const task of job.tasks) this.#filled.add(nameOf(task));
  }

  /** The state directory was deleted, or another one is used. */
  forget(): void {
    this.#filled = new Set();
    this.#settled = false;
    this.#stoppedInOrder = false;
  }

  stoppedInOrder(): void {
    this.#stoppedInOrder = true;
  }

  #judge(life: number, overview: TaskOverview): void {
    const { restore } = overview;
    const task = nameOf(overview);
    const where = `life ${life}, task ${task}`;
    if (restore === undefined) {
      this.violations.add('restore-long', `${where}: RUNNING, and no restore is reported`);
      return;
    }
    const { fromLocalState, rebuildReason, records } = restore;
    this.#restores++;
    this.#records += records;
    if (rebuildReason !== undefined) this.violations.add('store-wiped', `${where}: ${rebuildReason}`); // G1
    if (!this.durable) return;
    if (this.#filled.has(task) && !fromLocalState)
      this.violations.add('store-wiped', `${where}: built anew, though a former life had filled the store`); // G2
    if (this.#settled && fromLocalState) this.#expectTail(life, task, records);
    if (fromLocalState || records > 0) this.#filled.add(task);
  }

  #expectTail(life: number, task: string, records: number): void {
    if (this.#stoppedInOrder && records > 0)
      this.violations.add('restore-long', `life ${life}, task ${task}: ${records} records to restore after a stop in order`);
    this.tails.push({ life, task, records });
  }
}

const nameOf = ({ subTopology, task }: TaskOverview): string => `${subTopology}-${task}`;

/** G3. @param largestEpoch changelog records of the largest epoch */
export function checkTails(tails: readonly TailRestore[], largestEpoch: number, violations: Violations): void {
  for (const { life, task, records } of tails) {
    if (records > largestEpoch) {
      violations.add('restore-long', `life ${life}, task ${task}: ${records} records restored, and the largest epoch has ${largestEpoch}`);
    }
  }
}
