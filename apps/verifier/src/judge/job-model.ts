import type { SeenRecord } from '../witness/seen-record.js';
import type { EpochInputs, ReplayedPartition } from './changelog-replay.js';

/** The topics of a job's run, from which the rig and the judge know where to look. What is done with them is the same for every job. */
export interface JobLayout {
  /** In the order of sub-topologies; the first reads the job's sources. */
  readonly stages: readonly Stage[];
  readonly outputs: readonly string[];
}

/** One sub-topology. */
export interface Stage {
  readonly changelog: string;
  /** Topics whose partitions are dealt out over the tasks: the group commits their offsets. */
  readonly inputs: readonly string[];
  /** Topics that every task reads whole: their offsets stand in the epoch records alone. */
  readonly broadcasts: readonly string[];
}

/** Topics by the variable of the service's environment that names them. */
export type TopicNames = Readonly<Record<string, string>>;

/** What the judge says of a run, in numbers of the job. */
export interface Tally {
  readonly readings: number;
  readonly sensors: number;
  readonly alerts: number;
  readonly expectedAlerts: number;
  /** What only this job has, by its name for people. */
  readonly more: Readonly<Record<string, number>>;
}

/**
 * What is particular to a job: what its output and its state must be. It is fed every record of the sources, then of the outputs, then
 * every epoch record, each partition in order; then it compares, and reports what differs to the violations that it was made with.
 */
export interface JobModel {
  input(topic: string, record: SeenRecord): void;
  output(topic: string, record: SeenRecord): void;
  /** A task committed, up to these offsets. */
  epoch(stage: number, task: number, inputs: EpochInputs['inputs']): void;
  /** @param changelogs replayed, by stage and task */
  compare(changelogs: readonly (readonly ReplayedPartition[])[]): void;
  readonly tally: Tally;
}
