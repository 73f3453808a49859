import { type Incarnation, incarnation } from '../model/brands.js';
import type { CommandRecord, ControlRecord, DesiredRecord, RoundRecord, TaskReport } from './control-record.js';

/**
 * What the control topic says, as far as it was read: a fold over its records. The same in every replica that has read as far.
 *
 * Invariants
 *   V1. A round never goes back: of two records of one key the log has the newer one behind the older, and a coordinator that was
 *       superseded is fenced. What lies below the present round is passed over all the same.
 *   V2. A committed barrier is a fact, whoever tells of it and however late: a task's barrier never goes back.
 *   A late report of an earlier owner may replace that of the present one, for nothing orders the two; the present owner, who sees it
 *   too, reports again (job/replica.ts).
 */
export class ControlView {
  #round: RoundRecord | undefined;
  #desired: DesiredRecord | undefined;
  #command: CommandRecord | undefined;
  readonly #reports = new Map<string, TaskReport>();

  /** The newest round; undefined before the first. */
  get round(): RoundRecord | undefined {
    return this.#round;
  }

  /** Whether the job is to run: as long as nothing else was recorded (I8). */
  get shouldRun(): boolean {
    return this.#desired === undefined || this.#desired.state === 'running';
  }

  /** The life of the job that runs, or will run again. */
  get incarnation(): Incarnation {
    return this.#desired?.incarnation ?? incarnation(0);
  }

  get desired(): DesiredRecord | undefined {
    return this.#desired;
  }

  /** The newest command, if it is still to be carried out: an older one that it has overtaken never is. */
  get pendingCommand(): CommandRecord | undefined {
    return this.#command?.id === this.#desired?.command ? undefined : this.#command;
  }

  reportOf(task: string): TaskReport | undefined {
    return this.#reports.get(task);
  }

  /** @returns whether it changed anything */
  take(record: ControlRecord): boolean {
    if (record.type === 'round') {
      if (this.#round !== undefined && record.round.id < this.#round.id) return false; // V1
      this.#round = record.round;
      return true;
    }
    if (record.type === 'desired') {
      this.#desired = record.desired;
      return true;
    }
    if (record.type === 'command') {
      this.#command = record.command;
      return true;
    }
    const { report } = record;
    const before = this.#reports.get(report.task);
    const isBehind = before !== undefined && before.barrier > report.barrier; // V2
    this.#reports.set(report.task, isBehind ? { ...report, barrier: before.barrier } : report);
    return true;
  }
}
