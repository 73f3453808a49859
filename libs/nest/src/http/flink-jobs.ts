import { createHash } from 'node:crypto';
import { isTerminal } from '@weir/core';
import type { JobOverview, JobStatus, TaskOverview, TaskPlacement } from '@weir/core';

/**
 * A job in the shapes of Flink's monitoring REST API, version 1, as `flink list` and Flink's dashboard read them. Statuses need no
 * translation: ours are Flink's. Flink's client refuses a job without jid, name, state, start-time, end-time, duration,
 * last-modification, tasks with a total, and pending-operators, each a plain number or text, never null.
 */
/** Flink's ExecutionState, in its order. */
const EXECUTION_STATES = [
  'CREATED',
  'SCHEDULED',
  'DEPLOYING',
  'RUNNING',
  'FINISHED',
  'CANCELING',
  'CANCELED',
  'FAILED',
  'RECONCILING',
  'INITIALIZING',
] as const;

/** Flink's JobStatus. */
const JOB_STATUSES = [
  'INITIALIZING',
  'CREATED',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
] as const;

type ExecutionState = (typeof EXECUTION_STATES)[number];

type Counts = Readonly<Record<string, number>>;

export interface FlinkJob {
  readonly jid: string;
  readonly name: string;
  readonly state: JobStatus;
  readonly 'start-time': number;
  /** -1 while the job goes on. */
  readonly 'end-time': number;
  readonly duration: number;
  readonly 'last-modification': number;
  readonly tasks: Counts;
  readonly 'pending-operators': number;
  readonly jobType: 'STREAMING';
  readonly schedulerType: 'Default';
  /** The job as Weir sees it; Flink's clients skip it. */
  readonly weir: JobOverview;
}

/** @param now wall-clock milliseconds */
export function flinkJob(job: JobOverview, now: number): FlinkJob {
  const counts = countByState(job.placements);
  return {
    jid: job.id,
    name: job.name,
    state: job.status,
    ...times(job, now),
    'last-modification': job.statusSince,
    tasks: { total: job.placements.length, ...Object.fromEntries(Object.entries(counts).map(([state, n]) => [state.toLowerCase(), n])) },
    'pending-operators': 0,
    jobType: 'STREAMING',
    schedulerType: 'Default',
    weir: job,
  };
}

/**
 * The page of one job: a vertex for each sub-topology, whose subtasks are its tasks.
 * @param reached wall-clock milliseconds at which the job last came into its statuses
 */
export function flinkJobDetail(
  job: JobOverview,
  reached: Readonly<Partial<Record<JobStatus, number>>>,
  now: number,
): Readonly<Record<string, unknown>> {
  const vertices = [...new Set(job.placements.map((task) => task.subTopology))].map((subTopology) => vertex(job, subTopology, now));
  const statusCounts: Record<string, number> = zeroes();
  for (const { status } of vertices) statusCounts[status] = (statusCounts[status] ?? 0) + 1;
  return {
    jid: job.id,
    name: job.name,
    isStoppable: false,
    state: job.status,
    'job-type': 'STREAMING',
    schedulerType: 'Default',
    ...times(job, now),
    maxParallelism: job.maxParallelism,
    now,
    timestamps: {
      ...Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])),
      CREATED: job.startedAt,
      ...reached,
      [job.status]: job.statusSince,
    },
    vertices,
    'status-counts': statusCounts,
    plan: { jid: job.id, name: job.name, type: 'STREAMING', nodes: vertices.map(planNode) },
    'stream-graph': null,
    'pending-operators': 0,
    weir: job,
  };
}

type Vertex = ReturnType<typeof vertex>;

function vertex(job: JobOverview, subTopology: number, now: number) {
  const placed = job.placements.filter((task) => task.subTopology === subTopology);
  const tasks = job.tasks.filter((task) => task.subTopology === subTopology);
  const isWhole = placed.every(({ isHere }) => isHere); // records of other replicas are not known here
  const sum = (of: (task: TaskOverview) => number): number => tasks.reduce((total, task) => total + of(task), 0);
  return {
    id: vertexId(job.id, subTopology),
    slotSharingGroupId: job.id,
    name: `sub-topology ${subTopology}`,
    maxParallelism: job.maxParallelism,
    parallelism: placed.length,
    status: vertexStatus(placed),
    ...times(job, now),
    tasks: countByState(placed),
    metrics: {
      'read-bytes': 0,
      'read-bytes-complete': false,
      'write-bytes': 0,
      'write-bytes-complete': false,
      'read-records': sum((task) => task.recordsIn),
      'read-records-complete': isWhole,
      'write-records': sum((task) => task.recordsOut),
      'write-records-complete': isWhole,
    },
  };
}

const planNode = (of: Vertex): Readonly<Record<string, unknown>> => ({
  id: of.id,
  parallelism: of.parallelism,
  operator: '',
  operator_strategy: '',
  description: of.name,
  optimizer_properties: {},
});

/** 32 hexadecimal digits that stay the same over restarts: the first 16 bytes of SHA-256 over job id and sub-topology. */
export const vertexId = (jid: string, subTopology: number): string =>
  createHash('sha256').update(`${jid}/${subTopology}`).digest('hex').slice(0, 32);

/** The least advanced of its tasks speaks for a vertex, a failed one before all. */
function vertexStatus(tasks: readonly TaskPlacement[]): ExecutionState {
  const order: readonly ExecutionState[] = ['FAILED', 'CANCELING', 'CREATED', 'INITIALIZING', 'RECONCILING', 'RUNNING', 'CANCELED'];
  const states = tasks.map((task) => executionState(task));
  return order.find((state) => states.includes(state)) ?? 'CREATED';
}

/** A task that is down on another replica is on its way back; one of which nothing is known is, in Flink's word, being reconciled. */
function executionState({ status }: TaskPlacement): ExecutionState {
  if (status === 'DOWN') return 'INITIALIZING';
  return status === 'UNKNOWN' ? 'RECONCILING' : status;
}

function times(job: JobOverview, now: number): { 'start-time': number; 'end-time': number; duration: number } {
  const ended = isTerminal(job.status);
  return {
    'start-time': job.startedAt,
    'end-time': ended ? job.statusSince : -1,
    duration: Math.max(0, (ended ? job.statusSince : now) - job.startedAt),
  };
}

const zeroes = (): Record<string, number> => Object.fromEntries(EXECUTION_STATES.map((state) => [state, 0]));

function countByState(tasks: readonly TaskPlacement[]): Counts {
  const counts = zeroes();
  for (const task of tasks) counts[executionState(task)]! += 1;
  return counts;
}
