import type { EpochRecord } from '../checkpoint/epoch-record.js';
import { errors } from '../errors/errors.js';
import type { Log, LogReader, TopicDescription } from '../ports/log.js';
import type { Telemetry } from '../ports/telemetry.js';
import { ChunkSlices } from './epoch-limits.js';
import { InputPositions } from './input-positions.js';
import { LostOffsets } from './lost-offsets.js';
import type { RecordRetries } from './record-retries.js';
import type { InputTopic, TaskPlan } from './task-plan.js';

/** What a task reads with. */
export interface Inputs {
  readonly positions: InputPositions;
  readonly reader: LogReader;
  readonly slices: ChunkSlices;
}

export interface InputHost {
  readonly log: Log;
  readonly telemetry: Telemetry;
  /** Those of the attempts before. */
  readonly retries: RecordRetries;
  readonly wake: () => void;
}

/** Bytes of input fetched ahead per partition. */
const INPUT_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Assigns a task's inputs at the epoch record's offsets, once the topics are still those that the job was planned for.
 * @throws WeirError `invalid` INPUT_TOPIC_REPLACED, INPUT_PARTITIONS_CHANGED; `retry` if the log cannot be reached
 */
export async function openInputs(plan: TaskPlan, record: EpochRecord | undefined, { log, telemetry, retries, wake }: InputHost): Promise<Inputs> {
  await checkInputs(log, plan.inputs);
  const positions = await InputPositions.of(plan, record, log);
  const reader = log.openReader({ wake, bufferBytes: INPUT_BUFFER_BYTES });
  const { take } = new LostOffsets(plan, reader, positions, telemetry);
  const slices = new ChunkSlices(reader, positions.broadcast, take, retries);
  for (const { topic, partition, offset } of positions.offsets()) {
    retries.startAt(topic, partition, offset);
    reader.assign({ topic, partition }, offset);
    positions.broadcast.holdAt({ topic, partition }, offset, reader);
  }
  return { positions, reader, slices };
}

/**
 * Compares topics with what the job was planned for. One that does not exist now is none of this: reading waits for it.
 * @throws WeirError `invalid` INPUT_TOPIC_REPLACED, INPUT_PARTITIONS_CHANGED; as the log throws them
 */
export async function checkInputs(log: Log, inputs: readonly InputTopic[]): Promise<void> {
  const found = await Promise.all(inputs.map(({ topic }) => log.describeTopic(topic)));
  inputs.forEach((input, i) => checkInput(input, found[i]));
}

function checkInput({ topic, topicId, partitions }: InputTopic, found: TopicDescription | undefined): void {
  if (found === undefined) return;
  if (found.topicId !== topicId) throw errors.inputTopicReplaced({ topic, recorded: topicId, found: found.topicId });
  if (found.partitions !== partitions) throw errors.inputPartitionsChanged({ topic, recorded: partitions, found: found.partitions });
}
