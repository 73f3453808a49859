import type { GroupReplica } from '../assignment/member-orders.js';
import type { TaskReport } from '../control/control-record.js';
import { taskName, type TaskPlan } from '../task/task-plan.js';
import type { PlacementStatus, ReplicaOverview, TaskOverview, TaskPlacement } from './job-overview.js';

/**
 * Where the tasks of a job run, as one replica knows it: its own as they are, the others by what the group was told and by the newest reports
 * in the control topic. Pure.
 *
 *   of this replica          the task's own status
 *   of another               RUNNING, if the newest report is that replica's and says so; else DOWN
 *   told to nobody           DOWN: it moves from one replica to another
 *   the group is not known   UNKNOWN: this replica is not in the group (any more), and has no news
 */
export interface PlacementFacts {
  readonly plans: readonly TaskPlan[];
  /** Of the tasks that this replica has, or had last. */
  readonly own: readonly TaskOverview[];
  /** Name of this process. */
  readonly replica: string;
  /** Everybody in the group; undefined while this replica does not know. */
  readonly replicas: readonly GroupReplica[] | undefined;
  reportOf(task: string): TaskReport | undefined;
}

export function taskPlacements({ plans, own, replica, replicas, ...facts }: PlacementFacts): TaskPlacement[] {
  const ownerOf = (task: string): GroupReplica | undefined => replicas?.find(({ run }) => run.includes(task));
  return plans.map((plan) => {
    const { subTopology, task } = plan;
    const here = own.find((one) => one.subTopology === subTopology && one.task === task);
    const name = taskName(plan);
    const owner = ownerOf(name);
    // One that is being closed here is shown so until the next owner has it.
    if (here !== undefined && (owner === undefined || owner.replica === replica)) {
      return { subTopology, task, status: here.status, replica, url: owner?.url, isHere: true };
    }
    const status = statusElsewhere(replicas !== undefined, owner, facts.reportOf(name));
    return { subTopology, task, status, replica: owner?.replica, url: owner?.url, isHere: owner?.replica === replica };
  });
}

function statusElsewhere(isGroupKnown: boolean, owner: GroupReplica | undefined, report: TaskReport | undefined): PlacementStatus {
  if (!isGroupKnown) return 'UNKNOWN';
  return owner !== undefined && report?.replica === owner.replica && report.status === 'RUNNING' ? 'RUNNING' : 'DOWN';
}

/** @param replica name of this process */
export function replicaOverviews(replicas: readonly GroupReplica[], replica: string): ReplicaOverview[] {
  return replicas.map((one) => ({
    replica: one.replica,
    instanceId: one.instanceId,
    url: one.url,
    isLeader: one.isLeader,
    isThis: one.replica === replica,
    tasks: one.run,
  }));
}
