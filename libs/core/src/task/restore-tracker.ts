import type { RestorePlan } from '../checkpoint/restore-plan.js';
import type { RestoreOverview } from '../job/job-overview.js';
import type { Clock } from '../ports/clock.js';
import type { TaskRef, Telemetry } from '../ports/telemetry.js';
import type { RestoreProgress } from './restore.js';

/** Milliseconds between two reports of progress. */
const REPORT_EVERY_MS = 1_000;

/** How a restore gets on: rate, what remains, and the time that this will take; the last report of each restore says that nothing remains. */
export class RestoreTracker {
  #overview: RestoreOverview | undefined;
  #began = 0;
  #lastReport = 0;

  constructor(
    private readonly task: TaskRef,
    private readonly clock: Clock,
    private readonly telemetry: Telemetry,
  ) {}

  overview(): RestoreOverview | undefined {
    return this.#overview;
  }

  planned(plan: RestorePlan): void {
    this.#began = this.#lastReport = this.clock.monotonic();
    const rebuildReason = plan.type === 'rebuild' ? plan.reason : undefined;
    if (rebuildReason !== undefined) this.telemetry.emit({ type: 'store-rebuild', ...this.task, reason: rebuildReason });
    this.#overview = { fromLocalState: plan.type === 'from-position', rebuildReason, records: 0, remaining: 0, etaMs: 0 };
  }

  progressed({ records, offsets, remaining }: RestoreProgress): void {
    const now = this.clock.monotonic();
    const elapsedMs = now - this.#began;
    const rate = elapsedMs > 0 ? (records / elapsedMs) * 1000 : 0;
    const etaMs = offsets === 0 ? 0 : Math.round((remaining / offsets) * elapsedMs);
    this.#overview = { ...this.#overview!, records, remaining, etaMs };
    if (remaining > 0 && now - this.#lastReport < REPORT_EVERY_MS) return;
    this.#lastReport = now;
    this.telemetry.emit({ type: 'restore-progress', ...this.task, remaining, records, elapsedMs, rate, etaMs });
  }
}
