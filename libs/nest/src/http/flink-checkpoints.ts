import type { JobOverview, RoundOverview, TaskOverview, TaskRoundOverview } from '@weir/core';
import { vertexId } from './flink-jobs.js';

/**
 * The checkpoints of a job in the shapes of Flink's monitoring REST API, version 1. What has no meaning here, or is not measured, is 0:
 * there is nothing unaligned. The state's size is that of the stores, roughly, of those tasks that have acknowledged the checkpoint.
 *
 * A checkpoint that was abandoned, because a task failed or the job stops, is FAILED as in Flink; the count of failed ones has only those
 * that timed out, for the others are none that `tolerableFailedCheckpoints` counts.
 */
type Json = Readonly<Record<string, unknown>>;

const CLASS_NAMES = { open: 'in_progress', completed: 'completed', abandoned: 'failed', 'timed-out': 'failed' } as const;
const FAILURE_MESSAGES = { abandoned: 'Abandoned: a task failed, or the job stops.', 'timed-out': 'Checkpoint expired before completing.' } as const;

export function flinkCheckpoints(job: JobOverview): Json {
  const { completed, failed, history } = job.checkpoints;
  const inProgress = history.filter(({ outcome }) => outcome === 'open').length;
  const shown = (of: (className: string) => boolean): Json | null => {
    const round = history.find(({ outcome }) => of(CLASS_NAMES[outcome]));
    return round === undefined ? null : checkpoint(job, round);
  };
  return {
    counts: { restored: 0, total: completed + failed + inProgress, in_progress: inProgress, completed, failed },
    summary: {},
    latest: { completed: shown((name) => name === 'completed'), savepoint: null, failed: shown((name) => name === 'failed'), restored: null },
    history: history.map((round) => checkpoint(job, round)),
  };
}

/** One of those in the history; undefined for another. */
export function flinkCheckpoint(job: JobOverview, id: string): Json | undefined {
  const round = roundOf(job, id);
  if (round === undefined) return undefined;
  const subTopologies = [...new Set(job.tasks.map(({ subTopology }) => subTopology))];
  const tasks = subTopologies.map((subTopology) => [vertexId(job.id, subTopology), vertexEntry(job, round, subTopology)] as const);
  return { ...checkpoint(job, round), tasks: Object.fromEntries(tasks) };
}

/** What the tasks of one vertex took for one checkpoint; undefined where there is no such. */
export function flinkSubtasks(job: JobOverview, id: string, vertex: string): Json | undefined {
  const round = roundOf(job, id);
  const first = job.tasks.find(({ subTopology }) => vertexId(job.id, subTopology) === vertex.toLowerCase());
  if (round === undefined || first === undefined) return undefined;
  const { subTopology } = first;
  return { ...vertexEntry(job, round, subTopology), summary: {}, subtasks: tasksOf(job, subTopology).map((task) => subtask(round, task)) };
}

const roundOf = (job: JobOverview, id: string): RoundOverview | undefined => job.checkpoints.history.find((round) => String(round.id) === id);
const tasksOf = (job: JobOverview, subTopology: number): readonly TaskOverview[] => job.tasks.filter((task) => task.subTopology === subTopology);
const nameOf = ({ subTopology, task }: TaskOverview): string => `${subTopology}-${task}`;

function checkpoint(job: JobOverview, round: RoundOverview): Json {
  const { id, outcome, triggeredAt } = round;
  const className = CLASS_NAMES[outcome];
  return {
    className,
    id,
    status: className.toUpperCase(),
    is_savepoint: false,
    savepointFormat: null,
    trigger_timestamp: triggeredAt,
    ...sums(round.tasks, round, job.tasks.length),
    end_to_end_duration: round.durationMs === undefined ? -1 : Math.round(round.durationMs),
    checkpoint_type: 'CHECKPOINT',
    tasks: {},
    ...(outcome === 'completed' ? { external_path: '', discarded: false } : {}),
    ...(outcome === 'abandoned' || outcome === 'timed-out'
      ? { failure_timestamp: Math.round(triggeredAt + (round.durationMs ?? 0)), failure_message: FAILURE_MESSAGES[outcome] }
      : {}),
  };
}

function vertexEntry(job: JobOverview, round: RoundOverview, subTopology: number): Json {
  const tasks = tasksOf(job, subTopology);
  const names = new Set(tasks.map(nameOf));
  return { id: round.id, status: CLASS_NAMES[round.outcome].toUpperCase(), ...sums(round.tasks.filter(({ task }) => names.has(task)), round, tasks.length) };
}

/** @param expected how many tasks there are to acknowledge it */
function sums(tasks: readonly TaskRoundOverview[], { triggeredAt }: RoundOverview, expected: number): Json {
  const last = Math.max(-1, ...tasks.map(({ acknowledgedAt }) => acknowledgedAt));
  return {
    latest_ack_timestamp: last,
    checkpointed_size: tasks.reduce((sum, { bytes }) => sum + bytes, 0),
    state_size: tasks.reduce((sum, { stateBytes = 0 }) => sum + stateBytes, 0),
    end_to_end_duration: last < 0 ? -1 : Math.max(0, last - triggeredAt),
    alignment_buffered: 0,
    processed_data: 0,
    persisted_data: 0,
    num_subtasks: expected,
    num_acknowledged_subtasks: tasks.length,
  };
}

function subtask(round: RoundOverview, task: TaskOverview): Json {
  const found = round.tasks.find((one) => one.task === nameOf(task));
  if (found === undefined) return { className: 'pending', index: task.task, status: 'pending_or_failed' };
  const { acknowledgedAt, bytes, durationMs, alignmentMs, stateChanges, stateBytes = 0 } = found;
  return {
    className: 'completed',
    index: task.task,
    status: 'completed',
    ack_timestamp: acknowledgedAt,
    end_to_end_duration: Math.max(0, acknowledgedAt - round.triggeredAt),
    checkpointed_size: bytes,
    state_size: stateBytes,
    checkpoint: { sync: 0, async: Math.round(durationMs) },
    alignment: { buffered: 0, processed: 0, persisted: 0, duration: Math.round(alignmentMs) },
    start_delay: 0,
    unaligned_checkpoint: false,
    aborted: false,
    weir: { stateChanges },
  };
}
