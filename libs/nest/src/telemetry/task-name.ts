import type { Attributes } from '@opentelemetry/api';

/** The one spelling of a task in logs, spans and health: sub-topology and index, `0-3`. */
export const taskName = (of: { readonly subTopology: number; readonly task: number }): string => `${of.subTopology}-${of.task}`;

/** Flink's labels of a task: `task_name` is the sub-topology, `subtask_index` the task within it. */
export const taskAttributes = (of: { readonly job: string; readonly subTopology: number; readonly task: number }): Attributes => ({
  job_name: of.job,
  task_name: String(of.subTopology),
  subtask_index: of.task,
});
