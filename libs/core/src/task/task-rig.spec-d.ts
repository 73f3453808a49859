import { type CompiledSettings, compileSettings } from '../job/compile-settings.js';
import { cutGraph } from '../job/cut-graph.js';
import { changelogTopic, repartitionTopic } from '../job/internal-topics.js';
import type { JobDefinition } from '../job/job-definition.js';
import { deadLettersOf, planTasks, repartitionTopicsOf, sizeSubTopologies } from '../job/job-plan.js';
import type { JobSettings } from '../job/settings.js';
import { incarnation, offset } from '../model/brands.js';
import { type RecordColumns, RecordWriter } from '../model/record-columns.js';
import type { LogChunk, TopicDescription } from '../ports/log.js';
import { GraphBuilder } from '../topology/stream-builder.js';
import type { EpochEffects } from './epoch-effects.js';
import type { TaskPlan } from './task-plan.js';

/** Plans and chunks as a job and a log would make them: for specs of what a task is made of. */
export interface PlanOptions {
  /** Of every topic that is not named in `topics`. Default 4. */
  readonly partitions?: number;
  readonly topics?: Readonly<Record<string, number>>;
  readonly settings?: Partial<JobSettings>;
}

/** The tasks of a job, in the order of sub-topology and task. */
export function plansOf(define: JobDefinition['define'], { partitions = 4, topics = {}, settings = {} }: PlanOptions = {}): TaskPlan[] {
  const builder = new GraphBuilder('job');
  define(builder);
  const subTopologies = cutGraph(builder.build());
  const compiled: CompiledSettings = compileSettings({ applicationId: 'app', ...settings });
  const context = { job: 'job', settings: compiled, incarnation: incarnation(0) };
  const described = new Map<string, TopicDescription>();
  const describe = (topic: string, count = topics[topic] ?? partitions): void =>
    void described.set(topic, { topic, topicId: `id-of-${topic}`, partitions: count, deleteRetentionMs: 86_400_000 });
  for (const { sources, broadcasts, sinks } of subTopologies) for (const { topic } of [...sources, ...broadcasts, ...sinks]) describe(topic.topic);
  for (const sub of subTopologies) for (const topic of deadLettersOf(sub, context)) describe(topic);
  const sized = sizeSubTopologies(subTopologies, context, described);
  for (const { topic, partitions: count } of repartitionTopicsOf(sized, context)) describe(topic, count);
  for (const { index, parallelism } of sized) describe(changelogTopic('app', context.incarnation, index), parallelism);
  return planTasks(sized, context, described);
}

export const repartitionTopicOf = (shuffle: string): string => repartitionTopic('app', incarnation(0), shuffle);

export interface Row {
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly timestamp?: number;
  readonly headers?: Buffer;
  readonly offset?: number;
}

/** A chunk of these rows, from offset 0 unless they say otherwise. */
export function chunkOf(topic: string, partition: number, rows: readonly Row[]): LogChunk {
  const writer = new RecordWriter();
  const bytes = (part: string | Buffer | null | undefined): Buffer | null => (typeof part === 'string' ? Buffer.from(part) : (part ?? null));
  for (const { key, value, timestamp = 1_000, headers } of rows) writer.add(timestamp, bytes(key), bytes(value), headers);
  const { columns } = writer;
  rows.forEach((row, i) => (columns.offset[i] = row.offset ?? i));
  const next = rows.length === 0 ? 0 : columns.offset[rows.length - 1]! + 1;
  return { topic, partition, records: columns, nextOffset: offset(next), lastStable: offset(next) };
}

/** What was written, as text: topic-partition, key, value. */
export const outputsOf = (effects: EpochEffects): string[] =>
  effects.outputAppends().flatMap(({ topic, partition, records }) => rowsOf(records).map(([key, value]) => `${topic}-${partition} ${key}=${value}`));

export const rowsOf = (records: RecordColumns): (readonly [key: string, value: string])[] =>
  Array.from({ length: records.count }, (_, row) => [String(records.key(row)), String(records.value(row))] as const);
