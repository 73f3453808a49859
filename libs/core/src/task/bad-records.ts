import { errors, problemOf } from '../errors/errors.js';
import { isWeirError, type WeirError } from '../errors/weir-error.js';
import { writeDeadLetterHeaders } from '../model/dead-letter.js';
import { NULL } from '../model/record-columns.js';
import type { BadRecordCounts, Telemetry } from '../ports/telemetry.js';
import { policyOf } from '../topology/bad-record-checks.js';
import { type CompiledPolicy, compilePolicy } from '../topology/bad-records.js';
import type { Node } from '../topology/graph.js';
import type { EpochEffects } from './epoch-effects.js';
import type { RecordContext } from './record-context.js';
import { retryDelayMs, RecordRetries } from './record-retries.js';
import type { TaskPlan } from './task-plan.js';

/**
 * What a task does with records that its operators cannot process: one BadRecordRule per operator, by the policy declared for it. It owns
 * dead letters and counts; what is bad is for the operators to say, each of which catches its own errors only.
 *
 * Invariants
 *   B1. An error is dealt with once, by the operator where it arose: under `fail` it becomes a WeirError there, and what stands before
 *       that operator lets WeirErrors pass.
 *   B2. Only errors of kind `data` are dealt with. What tells of a wrong job, of the store or of Weir itself always fails the task.
 *   B3. A dead letter is an output of the running epoch: it is committed with the input's position, or not at all.
 *   B4. Behind a timer there is no record to drop or to put away: its errors always fail the task.
 *   B5. A broadcast record, which every task reads, is put away and counted by task 0 of the sub-topology alone.
 *   B6. A record is put away once per operator, however many of its results fail there one after another.
 *
 *   B7. What a function threw is tried again before the policy has it, where the policy says so: the attempt of the task ends, and the next one
 *       begins at its last commit (record-retries.ts). Bytes and results are not: they are the same each time.
 *
 * What a function did before it threw at the last try stays: values that it collected, state that it updated, timers that it set. Taking it back would
 * need an undo log of every state and of all that stands behind the function, paid for by every record. Kafka Streams' handler of processing
 * exceptions leaves it, too.
 */
export class BadRecords {
  readonly #rules: BadRecordRule[] = [];
  readonly #broadcasts: ReadonlySet<string>;
  #effects: EpochEffects | undefined;

  constructor(
    readonly plan: TaskPlan,
    readonly context: RecordContext,
    /** For records without a timestamp. */
    readonly wallTime: () => number,
    private readonly retries = new RecordRetries(),
  ) {
    this.#broadcasts = new Set(plan.inputs.flatMap(({ type, topic }) => (type === 'broadcast' ? [topic] : [])));
  }

  ruleOf(node: Node): BadRecordRule {
    const rule = new BadRecordRule(node.name, compilePolicy(policyOf(node, this.plan.settings.badRecords)), this);
    this.#rules.push(rule);
    return rule;
  }

  /** Where dead letters go from now on. */
  writeTo(effects: EpochEffects): void {
    this.#effects = effects;
  }

  /** Whether another task has the record, too, and deals with it (B5). */
  get isLeftToOthers(): boolean {
    return this.plan.task !== 0 && this.#broadcasts.has(this.context.topic);
  }

  /** B7. @throws WeirError `restart-task` RECORD_TO_RETRY unless the record was tried as often as it may be */
  tryAgain(retries: NonNullable<CompiledPolicy['retries']>, operator: string, error: WeirError): void {
    const { topic, partition, offset } = this.context;
    const retry = this.retries.next({ topic, partition, offset }, retries.attempts);
    if (retry === undefined) return;
    const delayMs = retryDelayMs(retries, retry);
    throw errors.recordToRetry({ operator, topic, partition, offset, retry, attempts: retries.attempts, delayMs, problem: problemOf(error.cause) }, error);
  }

  /** Writes the record at hand, as it came. */
  putAway(topic: string, operator: string, { code, message }: WeirError): void {
    const { columns, row, topic: from, partition, offset, timestamp } = this.context;
    const { buffer, keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = columns;
    const partitions = this.plan.sinkPartitions.get(topic)!;
    const writer = this.#effects!.writersOf(topic, partitions)[partition % partitions]!;
    writer.begin(timestamp < 0 ? this.wallTime() : timestamp);
    if (keyStart[row] !== NULL) {
      writer.bytes.writeBytes(buffer, keyStart[row], keyEnd[row]);
      writer.keyDone();
    }
    if (valueStart[row] !== NULL) {
      writer.bytes.writeBytes(buffer, valueStart[row], valueEnd[row]);
      writer.valueDone();
    }
    writer.bytes.writeBytes(buffer, headersStart[row], headersEnd[row]);
    writeDeadLetterHeaders({ job: this.plan.job, operator, topic: from, partition, offset, errorCode: code, error: message }, writer.bytes);
    writer.headersDone();
    writer.end();
  }

  /** The epoch ends: what was counted in it is told once it is committed. */
  freeze(): void {
    for (const rule of this.#rules) rule.freeze();
  }

  /** Tells what the commit held, as one event. */
  report(telemetry: Telemetry): void {
    const operators = this.#rules.flatMap((rule) => rule.takeCommitted() ?? []);
    const { job, subTopology, task } = this.plan;
    if (operators.length > 0) telemetry.emit({ type: 'bad-records', job, subTopology, task, operators });
  }
}

export class BadRecordRule {
  #skipped = 0;
  #deadLettered = 0;
  #lastError = '';
  #committed: BadRecordCounts | undefined;
  /** The record that was dealt with last (B6). */
  #topic = '';
  #partition = -1;
  #offset = -1;

  constructor(
    readonly operator: string,
    private readonly policy: CompiledPolicy,
    private readonly all: BadRecords,
  ) {}

  /** Deals with an error of the operator on the record at hand. @throws it, where the policy is `fail`, or cannot be another (B2, B4); RECORD_TO_RETRY (B7) */
  handle(error: unknown): void {
    const { all } = this;
    const { action, retries } = this.policy;
    const { topic, partition, offset } = all.context;
    if (!isWeirError(error, 'data') || partition < 0) throw error;
    if (retries !== undefined && error.code === 'FUNCTION_FAILED') all.tryAgain(retries, this.operator, error);
    if (action === 'fail') throw error;
    if (all.isLeftToOthers) return;
    if (offset === this.#offset && partition === this.#partition && topic === this.#topic) return;
    this.#topic = topic;
    this.#partition = partition;
    this.#offset = offset;
    this.#lastError = error.message;
    if (action === 'skip') {
      this.#skipped++;
      return;
    }
    all.putAway(action.deadLetter, this.operator, error);
    this.#deadLettered++;
  }

  freeze(): void {
    if (this.#skipped + this.#deadLettered === 0) return;
    this.#committed = { operator: this.operator, skipped: this.#skipped, deadLettered: this.#deadLettered, lastError: this.#lastError };
    this.#skipped = this.#deadLettered = 0;
  }

  takeCommitted(): BadRecordCounts | undefined {
    const committed = this.#committed;
    this.#committed = undefined;
    return committed;
  }
}
