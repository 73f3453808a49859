import type { TopicPartition } from '../model/topic-partition.js';
import type { GroupMemberInfo, MemberShare } from '../ports/membership.js';
import { assignTasks, type AssignableMember } from './assign-tasks.js';
import { encodeMemberOrders, NO_ORDERS, type GroupReplica } from './member-orders.js';
import { decodeMemberReport, type MemberReport } from './member-report.js';

/** What the leader knows of the job. */
export interface GenerationContext {
  readonly subTopologies: readonly (readonly string[])[];
  readonly standbys: number;
  /** The replica that leads: the one that asks. */
  readonly leader: string;
  /** The inputs of a task, for the log's own tools. */
  readonly partitionsOf: (task: string) => readonly TopicPartition[];
}

/**
 * The plan of one generation, from what its members say to what each is told: `GroupOptions.assign` of a replica. Pure, and total: a
 * member whose report cannot be understood gets nothing to do and is told why, and so does the second of two that go by one replica's name.
 */
export function planGeneration(members: readonly GroupMemberInfo[], context: GenerationContext): ReadonlyMap<string, MemberShare> {
  const reports = new Map<string, MemberReport>();
  const refused = new Map<string, string>();
  const names = new Set<string>();
  for (const { memberId, data } of [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))) {
    const report = decodeMemberReport(data);
    if (typeof report === 'string') refused.set(memberId, report);
    else if (names.has(report.replica)) refused.set(memberId, `another member goes by the name of replica ${report.replica}`);
    else reports.set(memberId, report);
    if (typeof report !== 'string') names.add(report.replica);
  }
  const assignable = [...reports].map(([memberId, report]): AssignableMember => ({ ...report, memberId }));
  const orders = assignTasks({ subTopologies: context.subTopologies, members: assignable, standbys: context.standbys });
  const instances = new Map(members.map(({ memberId, instanceId }) => [memberId, instanceId]));
  const replicas = [...reports].map(([memberId, { replica, url }]): GroupReplica => ({
    replica,
    instanceId: instances.get(memberId),
    url,
    isLeader: replica === context.leader,
    run: orders.get(memberId)!.run,
  }));
  return new Map(
    members.map(({ memberId }) => {
      const own = orders.get(memberId) ?? NO_ORDERS;
      const data = encodeMemberOrders({ ...own, refused: refused.get(memberId), replicas });
      return [memberId, { partitions: own.run.flatMap((task) => context.partitionsOf(task)), data }];
    }),
  );
}
