import type { FedRecord } from '../generator/sensor-walk.js';
import type { JobLayout, JobModel, TopicNames } from '../judge/job-model.js';
import type { Violations } from '../judge/violation.js';

/** A service that the rig can drive and judge: all that differs from one to another. */
export interface JobUnderTest {
  /** Of the job, and of its folder below dist/apps. */
  readonly name: string;
  /** Topics by the variable that names them; INPUT_TOPIC is the one that readings flow into. */
  topics(applicationId: string): TopicNames;
  layout(applicationId: string, topics: TopicNames): JobLayout;
  feed(options: FeedOptions, topics: TopicNames): Feed;
  model(topics: TopicNames, violations: Violations): JobModel;
}

export interface FeedOptions {
  readonly seed: number;
  readonly sensors: number;
}

/** What goes into the job, the same for the same seed. */
export interface Feed {
  /** What every task must have read and committed before the first of the rest is sent. */
  readonly before: readonly FedRecord[];
  next(): FedRecord;
}
