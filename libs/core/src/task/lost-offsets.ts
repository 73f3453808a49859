import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { offset } from '../model/brands.js';
import { type LogChunk, type LogReader, OFFSET_OUT_OF_RANGE, type OffsetOutOfRange } from '../ports/log.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { InputPositions } from './input-positions.js';
import type { SourceInput, TaskPlan } from './task-plan.js';

/**
 * LostOffsets: the end of a task's reader at which a position that the log does not have is met, at its start and while it runs alike, for a
 * slow task may be overtaken by retention at any time. It owns the source's policy; it does not own the positions.
 *
 *   the reader says                        fail                  earliest               latest
 *   position below the log's start         INPUT_RECORDS_GONE    on at the start        on at the end
 *   position beyond the log's end          INPUT_TRUNCATED       on at the end          on at the end
 *
 * Invariants:
 * - X1. Nothing is skipped without an event that says from where to where.
 * - X2. Only sources are ever skipped. Repartition topics hold what only they hold, and tasks must have read the same of a broadcast: there
 *   the reader's error stands, and the changelog has its own rule (checkpoint/restore-plan.ts).
 * - X3. Where the job goes on is part of the running epoch: a crash before its commit meets the same again, and says it again.
 * - X4. A position that was never committed and never read from is where a first start happens to begin: it begins at the start, whatever
 *   the policy, for the job promised nothing below it.
 */
export class LostOffsets {
  readonly #sources: ReadonlyMap<string, SourceInput>;

  constructor(
    private readonly plan: TaskPlan,
    private readonly reader: LogReader,
    private readonly positions: InputPositions,
    private readonly telemetry: Telemetry,
  ) {
    this.#sources = new Map(plan.inputs.flatMap((input) => (input.type === 'source' ? [[input.topic, input] as const] : [])));
  }

  /** As `take` of the reader. @throws WeirError also `invalid` INPUT_RECORDS_GONE, INPUT_TRUNCATED */
  readonly take = (): LogChunk | undefined => {
    for (;;) {
      try {
        return this.reader.take();
      } catch (thrown) {
        if (!isWeirError(thrown) || thrown.code !== OFFSET_OUT_OF_RANGE) throw thrown;
        this.#goOn(thrown.context as OffsetOutOfRange, thrown);
      }
    }
  };

  #goOn({ topic, partition, start, end }: OffsetOutOfRange, thrown: Error): void {
    const input = this.#sources.get(topic);
    if (input === undefined) throw thrown; // X2
    const { name: source, onOffsetOutOfRange } = input.source;
    const from = this.positions.nextOf(topic, partition);
    if (from >= start && from <= end) {
      // Only what was fetched ahead, and dropped with the error, is gone from the log.
      this.reader.assign({ topic, partition }, from);
      return;
    }
    const policy = this.positions.isUntouched(topic, partition) ? 'earliest' : onOffsetOutOfRange; // X4
    if (policy === 'fail') {
      if (from > end) throw errors.inputTruncated({ topic, partition, source, offset: from, end }, thrown);
      throw errors.inputRecordsGone({ topic, partition, source, offset: from, start }, thrown);
    }
    const to = offset(from > end || policy === 'latest' ? end : start);
    const { job, subTopology, task } = this.plan;
    this.telemetry.emit({ type: 'input-reset', job, subTopology, task, source, topic, partition, from, to, policy }); // X1
    this.positions.reset(topic, partition, to); // X3
    this.reader.assign({ topic, partition }, to);
  }
}
