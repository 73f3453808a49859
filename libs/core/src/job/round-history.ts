import type { ControlRecord, EndedRound, TaskReport, TriggeredRound } from '../control/control-record.js';
import type { CheckpointId } from '../model/brands.js';
import type { RoundOverview, TaskRoundOverview } from './job-overview.js';

/** Rounds that are remembered, as many as Flink's web.checkpoints.history. */
const REMEMBERED = 10;

/**
 * The last rounds, as the control topic told of them since this process follows it: a fold over its records. A report that comes late is
 * added to its round all the same, for what it says of a commit is a fact.
 */
export class RoundHistory {
  /** Newest first. */
  readonly #rounds: RememberedRound[] = [];

  take(record: ControlRecord): void {
    if (record.type === 'report') this.#onReport(record.report);
    else if (record.type !== 'round') return;
    else if (record.round.type === 'triggered') this.#onTrigger(record.round);
    else this.#onEnd(record.round);
  }

  /** Newest first. */
  overview(): readonly RoundOverview[] {
    return this.#rounds.map(({ tasks, ...round }) => ({ ...round, tasks: [...tasks.values()].sort((a, b) => (a.task < b.task ? -1 : 1)) }));
  }

  #onTrigger({ id, at }: TriggeredRound): void {
    if (this.#find(id) === undefined) this.#add({ id, outcome: 'open', triggeredAt: at, durationMs: undefined, tasks: new Map() });
  }

  #onEnd({ id, at, outcome, durationMs }: EndedRound): void {
    // Its trigger is unknown to a process that came later.
    const round = this.#find(id) ?? this.#add({ id, outcome, triggeredAt: at - durationMs, durationMs, tasks: new Map() });
    round.outcome = outcome;
    round.durationMs = durationMs;
  }

  #onReport({ task, barrier, at, figures }: TaskReport): void {
    if (figures !== undefined) this.#find(barrier)?.tasks.set(task, { task, acknowledgedAt: at, ...figures });
  }

  #find(id: CheckpointId): RememberedRound | undefined {
    return this.#rounds.find((round) => round.id === id);
  }

  #add(round: RememberedRound): RememberedRound {
    this.#rounds.unshift(round);
    this.#rounds.length = Math.min(this.#rounds.length, REMEMBERED);
    return round;
  }
}

interface RememberedRound {
  readonly id: CheckpointId;
  outcome: RoundOverview['outcome'];
  readonly triggeredAt: number;
  durationMs: number | undefined;
  readonly tasks: Map<string, TaskRoundOverview>;
}
