import { EPOCH_RECORD_VERSION, encodeEpochRecord } from '../checkpoint/epoch-record.js';
import type { CheckpointId } from '../model/brands.js';
import type { RecordWriter } from '../model/record-columns.js';
import { CATALOGUE_VERSION, checkCatalogue, encodeCatalogue, type StateCatalogue } from '../state/state-catalogue.js';
import { EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY } from '../state/stored-key.js';
import type { InputPositions } from './input-positions.js';
import type { Pipeline } from './pipeline.js';
import type { TaskPlan } from './task-plan.js';

/** The records that a task's changelog has beside its state: the catalogue, written when it changes, and the epoch record, always last. */
export class ReservedRecords {
  /** As the changelog has it. */
  #catalogue: string | undefined;

  constructor(
    private readonly plan: TaskPlan,
    private readonly pipeline: Pipeline,
  ) {}

  /** Compares what the job declares with what was recorded. @throws WeirError `invalid` if they do not fit */
  compare(recorded: StateCatalogue | undefined): void {
    if (recorded === undefined) return;
    const { topic, partition } = this.plan.changelog;
    this.pipeline.adoptPartitioners(recorded.operators);
    checkCatalogue(recorded, this.#declared(), `${topic}-${partition}`);
    this.#catalogue = JSON.stringify(recorded);
  }

  /** @param barrier the last one that the task has committed, this commit's included */
  append(changes: RecordWriter, positions: InputPositions, barrier: CheckpointId, timestamp: number): void {
    const catalogue = this.#declared();
    const text = JSON.stringify(catalogue);
    if (text !== this.#catalogue) {
      changes.add(timestamp, STATE_CATALOGUE_KEY, encodeCatalogue(catalogue));
      this.#catalogue = text;
    }
    const { incarnation } = this.plan;
    const record = { version: EPOCH_RECORD_VERSION, incarnation, barrier, sequence: this.pipeline.sequence, inputs: positions.epochInputs() } as const;
    changes.add(timestamp, EPOCH_RECORD_KEY, encodeEpochRecord(record));
  }

  #declared(): StateCatalogue {
    const { job, parallelism, settings, inputs } = this.plan;
    return {
      version: CATALOGUE_VERSION,
      job,
      parallelism,
      maxParallelism: settings.maxParallelism,
      inputs: Object.fromEntries(inputs.map((input) => [input.topic, input.partitions])),
      operators: this.pipeline.operatorDeclarations(),
    };
  }
}
