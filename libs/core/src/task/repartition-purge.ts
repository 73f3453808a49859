import type { PartitionOffset } from '../model/topic-partition.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { TaskPlan } from './task-plan.js';

/** Milliseconds from the beginning of a task's purge to that of its next. */
export const PURGE_INTERVAL_MS = 30_000;

/**
 * RepartitionPurge: deletes what a task has read from its repartition topics, which keep everything until then: their one reader is the
 * only one who knows what is no longer needed. It owns when that happens. It does not own what was committed: the task tells it, after each
 * commit.
 *
 *            committed                          answered, or failed
 *   READY ------------------> UNDER WAY ------------------------------> RESTING
 *     ^                                                                    |
 *     +----------- interval since the purge began, next commit ------------+
 *
 * No timer: a task of several stages commits in every round. A new attempt of a task begins READY, so one that restarts more often than the
 * interval purges, too.
 *
 * Invariants:
 * - G1. Only what lies below the offsets of a definite commit (L4) is deleted: neither the epoch being computed nor one whose commit is
 *       under way is touched. Whoever reads the partition next begins at the offsets of the task's last epoch record, and they are these
 *       or later ones: a successor restores the changelog to its end before it reads (I3), and offsets never go back within an
 *       incarnation, whose number is in the topic's name. So it does not matter how late a purge arrives, nor whether this task still
 *       owns the partition.
 * - G2. It stands in nobody's way: nothing waits for it, and a failure is told and dropped. The next purge, whose offsets are higher,
 *       makes up for it.
 * - G3. At most one is under way, at most one begins per interval.
 *
 * What it relies on: a changelog that loses committed records (an unclean election) may name offsets that are purged. Reading from there is
 * an error (L6), never a gap.
 */
export class RepartitionPurge {
  readonly #topics: ReadonlySet<string>;
  /** On the monotonic clock, when the next may begin; Infinity while one is under way. */
  #notBefore = -Infinity;

  constructor(
    private readonly plan: Pick<TaskPlan, 'inputs' | 'job' | 'subTopology' | 'task'>,
    private readonly host: PurgeHost,
  ) {
    this.#topics = new Set(plan.inputs.filter(({ type }) => type === 'repartition').map(({ topic }) => topic));
  }

  /** A commit with these input offsets is definite. Begins a purge if one is due; returns at once and never throws. */
  onCommitted(offsets: readonly PartitionOffset[]): void {
    const now = this.host.clock.monotonic();
    if (this.#topics.size === 0 || now < this.#notBefore) return; // G3
    this.#notBefore = Infinity;
    void this.#purge(offsets.filter(({ topic }) => this.#topics.has(topic))).then(() => (this.#notBefore = now + PURGE_INTERVAL_MS));
  }

  /** Never rejects (G2). */
  async #purge(below: readonly PartitionOffset[]): Promise<void> {
    try {
      await this.host.log.deleteRecordsBefore(below);
    } catch (thrown) {
      const { job, subTopology, task } = this.plan;
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.host.telemetry.emit({ type: 'purge-failed', job, subTopology, task, error }); // G2
    }
  }
}

/** What a purge works with. */
export interface PurgeHost {
  readonly log: Pick<Log, 'deleteRecordsBefore'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly telemetry: Telemetry;
}
