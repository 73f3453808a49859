import type { EpochInput, EpochRecord } from '../checkpoint/epoch-record.js';
import { errors } from '../errors/errors.js';
import type { Barrier } from '../checkpoint/barrier.js';
import { Alignment } from '../checkpoint/alignment.js';
import { type CheckpointId, checkpointId, type Offset, offset } from '../model/brands.js';
import { partitionName, type PartitionOffset } from '../model/topic-partition.js';
import type { Log, PartitionEnds } from '../ports/log.js';
import { BroadcastLimits } from './broadcast-limits.js';
import { type InputTopic, ownedPartitions, type TaskPlan } from './task-plan.js';

/** Where a task is in each partition that it reads: its offsets, and the barriers that it has seen. */
export class InputPositions {
  readonly alignment = new Alignment();
  readonly broadcast: BroadcastLimits;
  readonly #inputs: ReadonlyMap<string, Input>;
  /** Upstream tasks of each repartition topic. */
  readonly #writers: ReadonlyMap<string, readonly string[]>;
  #changed: boolean;

  private constructor(plan: TaskPlan, inputs: readonly Input[], changed: boolean) {
    this.#inputs = new Map(inputs.map((input) => [partitionName(input.topic, input.partition), input]));
    this.#writers = new Map(plan.inputs.flatMap((input) => (input.type === 'repartition' ? [[input.topic, input.writers] as const] : [])));
    this.#changed = changed;
    this.broadcast = new BroadcastLimits(plan, plan.settings.checkpointing.enabled);
    for (const [name, { topic, barriers }] of this.#inputs) {
      const writers = this.#writers.get(topic);
      if (writers !== undefined) this.alignment.add(name, writers.map((_, index) => barriers[index] ?? checkpointId(0)));
    }
  }

  /**
   * Positions from the epoch record; partitions that it does not have begin where their source says.
   * @throws WeirError `invalid` INPUT_TOPIC_REPLACED, INPUT_PARTITIONS_CHANGED
   */
  static async of(plan: TaskPlan, record: EpochRecord | undefined, log: Log): Promise<InputPositions> {
    const recorded = new Map((record?.inputs ?? []).map((input) => [partitionName(input.topic, input.partition), input]));
    const inputs: Input[] = [];
    const fresh: { readonly input: InputTopic; readonly partition: number }[] = [];
    for (const input of plan.inputs) {
      checkRecorded(input, record?.inputs ?? []);
      for (const partition of ownedPartitions(plan, input)) {
        const known = recorded.get(partitionName(input.topic, partition));
        if (known === undefined) fresh.push({ input, partition });
        else inputs.push(recordedInput(input, known));
      }
    }
    const ends = fresh.length === 0 ? [] : await log.endPositions(fresh.map(({ input, partition }) => ({ topic: input.topic, partition })));
    fresh.forEach(({ input, partition }, i) => {
      const { topic, topicId, partitions } = input;
      inputs.push({ topic, topicId, partitions, partition, next: startOf(input, ends[i]!), end: ends[i]!.lastStable, barriers: [], isUntouched: true });
    });
    return new InputPositions(plan, inputs, fresh.length > 0);
  }

  /** Whether anything was read since the last `settle`, or a partition is new: what a commit would record. */
  get changed(): boolean {
    return this.#changed;
  }

  settle(): void {
    this.#changed = false;
  }

  /** @param end the last stable offset, for lag */
  advance(topic: string, partition: number, next: Offset, end: Offset): void {
    const input = this.#inputs.get(partitionName(topic, partition))!;
    if (next < input.next) {
      throw errors.invariantBroken({ invariant: 'I7', facts: `${topic}-${partition} went back from ${input.next} to ${next}` });
    }
    if (next > input.next) this.#changed = true;
    input.next = next;
    input.end = end;
    input.isUntouched = false;
  }

  /** Goes on elsewhere, for the position is not in the log: the one way back that there is (lost-offsets.ts). */
  reset(topic: string, partition: number, to: Offset): void {
    const input = this.#inputs.get(partitionName(topic, partition))!;
    input.next = to;
    input.isUntouched = false;
    this.#changed = true;
  }

  /** Whether no commit says where to read this partition, and nothing was read of it. */
  isUntouched(topic: string, partition: number): boolean {
    return this.#inputs.get(partitionName(topic, partition))!.isUntouched;
  }

  /** A copy as it is now. */
  offsets(): PartitionOffset[] {
    return [...this.#inputs.values()].map(({ topic, partition, next }) => ({ topic, partition, offset: next }));
  }

  /** Those that go into the group's offsets: a group has one offset per partition, so broadcast inputs, which every task reads, have none. */
  groupOffsets(): PartitionOffset[] {
    return this.offsets().filter(({ topic }) => !this.broadcast.has(topic));
  }

  /** A copy as it is now, as the epoch record has it. */
  epochInputs(): EpochInput[] {
    return [...this.#inputs].map(([name, { topic, topicId, partitions, partition, next }]) => {
      return { topic, topicId, partition, offset: next, barriers: this.alignment.barriersOf(name), partitions };
    });
  }

  /** A barrier was read from a repartition topic. @throws WeirError `invalid` BARRIER_FROM_STRANGER */
  onBarrier(topic: string, partition: number, { id, writer }: Barrier): void {
    const writers = this.#writers.get(topic) ?? [];
    const index = writers.indexOf(writer);
    if (index < 0) throw errors.barrierFromStranger({ topic, partition, writer, writers: writers.join(', ') });
    this.alignment.onBarrier(partitionName(topic, partition), index, id);
  }

  /** The next offset to read of a partition. */
  nextOf(topic: string, partition: number): Offset {
    return this.#inputs.get(partitionName(topic, partition))!.next;
  }

  /** Whether every broadcast partition was read to the end that the newest trigger named (R9). */
  get holdsBroadcast(): boolean {
    for (const { topic, partition, next } of this.#inputs.values()) {
      if (this.broadcast.has(topic) && next < this.broadcast.limitOf(topic, partition)) return false;
    }
    return true;
  }

  /** Offsets that lie between the positions and the ends of the inputs as last told. */
  get lag(): number {
    let lag = 0;
    for (const { next, end } of this.#inputs.values()) lag += Math.max(0, end - next);
    return lag;
  }
}

interface Input {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly partition: number;
  next: Offset;
  end: Offset;
  /** As the epoch record had them. */
  readonly barriers: readonly CheckpointId[];
  isUntouched: boolean;
}

/**
 * Keys were dealt out by the recorded number of partitions. A partition that the task reads and its record does not have was added since;
 * a topic that the record does not have at all is a new source.
 */
function checkRecorded({ topic, partitions, topicId }: InputTopic, recorded: readonly EpochInput[]): void {
  for (const known of recorded) {
    if (known.topic !== topic) continue;
    if (known.topicId !== topicId) throw errors.inputTopicReplaced({ topic, recorded: known.topicId, found: topicId });
    if (known.partitions !== undefined && known.partitions !== partitions) throw errors.inputPartitionsChanged({ topic, recorded: known.partitions, found: partitions });
  }
}

function recordedInput(input: InputTopic, known: EpochInput): Input {
  const { topic, topicId, partitions } = input;
  return { topic, topicId, partitions, partition: known.partition, next: known.offset, end: offset(0), barriers: known.barriers, isUntouched: false };
}

function startOf(input: InputTopic, ends: PartitionEnds): Offset {
  if (input.type === 'repartition') return ends.start;
  switch (input.source.start) {
    case 'earliest':
      return ends.start;
    case 'latest':
      return ends.lastStable;
  }
}
