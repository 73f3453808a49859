import type { EpochInput, EpochRecord } from '../checkpoint/epoch-record.js';
import { errors } from '../errors/errors.js';
import { type Offset, offset } from '../model/brands.js';
import { partitionName, type PartitionOffset } from '../model/topic-partition.js';
import type { Log, PartitionEnds } from '../ports/log.js';
import { type InputTopic, ownedPartitions, type TaskPlan } from './task-plan.js';

/** Where a task is in each partition that it reads. */
export class InputPositions {
  readonly #inputs: ReadonlyMap<string, Input>;
  #changed: boolean;

  private constructor(inputs: readonly Input[], changed: boolean) {
    this.#inputs = new Map(inputs.map((input) => [partitionName(input.topic, input.partition), input]));
    this.#changed = changed;
  }

  /**
   * Positions from the epoch record; partitions that it does not have begin where their source says.
   * @throws WeirError `invalid` INPUT_TOPIC_REPLACED
   */
  static async of(plan: TaskPlan, record: EpochRecord | undefined, log: Log): Promise<InputPositions> {
    const recorded = new Map((record?.inputs ?? []).map((input) => [partitionName(input.topic, input.partition), input]));
    const inputs: Input[] = [];
    const fresh: { readonly input: InputTopic; readonly partition: number }[] = [];
    for (const input of plan.inputs) {
      for (const partition of ownedPartitions(plan, input)) {
        const known = recorded.get(partitionName(input.topic, partition));
        if (known === undefined) fresh.push({ input, partition });
        else inputs.push(recordedInput(input, known));
      }
    }
    const ends = fresh.length === 0 ? [] : await log.endPositions(fresh.map(({ input, partition }) => ({ topic: input.topic, partition })));
    fresh.forEach(({ input, partition }, i) => {
      inputs.push({ topic: input.topic, topicId: input.topicId, partition, next: startOf(input, ends[i]!), end: ends[i]!.lastStable });
    });
    return new InputPositions(inputs, fresh.length > 0);
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
  }

  /** A copy as it is now. */
  offsets(): PartitionOffset[] {
    return [...this.#inputs.values()].map(({ topic, partition, next }) => ({ topic, partition, offset: next }));
  }

  /** A copy as it is now, as the epoch record has it. */
  epochInputs(): EpochInput[] {
    return [...this.#inputs.values()].map(({ topic, topicId, partition, next }) => ({ topic, topicId, partition, offset: next, barriers: [] }));
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
  readonly partition: number;
  next: Offset;
  end: Offset;
}

function recordedInput(input: InputTopic, known: EpochInput): Input {
  if (known.topicId !== input.topicId) throw errors.inputTopicReplaced({ topic: input.topic, recorded: known.topicId, found: input.topicId });
  return { topic: input.topic, topicId: input.topicId, partition: known.partition, next: known.offset, end: offset(0) };
}

function startOf(input: InputTopic, ends: PartitionEnds): Offset {
  switch (input.source.start) {
    case 'earliest':
      return ends.start;
    case 'latest':
      return ends.lastStable;
  }
}
