import type { SeenEnds, SeenRecord } from '../witness/seen-record.js';
import { ReplayedPartition } from './changelog-replay.js';
import type { JobLayout, JobModel, Tally } from './job-model.js';
import { StoreAudit } from './store-audit.js';
import type { SnapshotRow } from './snapshot-rows.js';
import type { StoreCopy } from './store-digest.js';
import { type Rule, type Violation, Violations } from './violation.js';

/**
 * The exactly-once check, on facts alone: it is fed the records of inputs, outputs and changelogs, each partition in order, and the ends
 * of the topics; it asks for nothing. Output = model = replayed changelog, per key; see RULES in violation.ts. What the job is about is
 * its model's (job-model.ts); what holds of every job is checked here: changelogs, epochs, stores, offsets, transactions.
 */
export interface JudgeOptions {
  readonly layout: JobLayout;
  readonly model: (violations: Violations) => JobModel;
  /** Partitions of the changelogs, by stage: the number of its tasks. */
  readonly tasks: readonly number[];
  readonly storeCopies: readonly StoreCopy[];
}

/** What is known once every record was read. */
export interface ClosingFacts {
  /** By topic. */
  readonly ends: ReadonlyMap<string, readonly SeenEnds[]>;
  /** Next offset as the group has committed it, by topic and partition. */
  readonly groupOffsets: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Open transactions, in words. */
  readonly openTransactions: readonly string[];
}

export interface Verdict extends Tally {
  readonly ok: boolean;
  readonly epochs: number;
  /** Changelog records of the largest epoch of any task: what a restore after a kill may have to read. */
  readonly largestEpoch: number;
  /** Copies of stores that were compared with the changelog. */
  readonly storesAudited: number;
  readonly counts: Partial<Record<Rule, number>>;
  readonly samples: readonly Violation[];
}

interface JudgedTask {
  readonly replayed: ReplayedPartition;
  readonly audit: StoreAudit;
}

export class Judge {
  readonly violations = new Violations();
  readonly #model: JobModel;
  /** Offset of the last record of a shuffle that is no barrier, by topic and partition. */
  readonly #lastShuffled = new Map<string, number>();
  /** By stage and task. */
  readonly #tasks: readonly (readonly JudgedTask[])[];

  constructor(private readonly options: JudgeOptions) {
    const { violations } = this;
    this.#model = options.model(violations);
    this.#tasks = options.tasks.map((count, stage) =>
      Array.from({ length: count }, (_, task) => ({
        replayed: new ReplayedPartition(task, violations),
        audit: new StoreAudit(
          options.storeCopies.filter((copy) => copy.stage === stage && copy.task === task),
          violations,
        ),
      })),
    );
  }

  input(topic: string, record: SeenRecord): void {
    this.#model.input(topic, record);
  }

  output(topic: string, record: SeenRecord): void {
    this.#model.output(topic, record);
  }

  /** A record of the topic of a shuffle, of those that were not purged. A barrier has no key. */
  shuffled(topic: string, { partition, offset, key }: SeenRecord): void {
    if (key !== null) this.#lastShuffled.set(`${topic}-${partition}`, offset);
  }

  changelog(stage: number, record: SeenRecord): void {
    const { replayed, audit } = this.#tasks[stage]![record.partition]!;
    audit.before(record.offset, replayed);
    const epoch = replayed.read(record);
    if (epoch !== undefined) this.#model.epoch(stage, record.partition, epoch.inputs);
  }

  /** Files that the last epoch record of each task names, oldest first: state that its changelog does not hold. */
  get snapshots(): readonly { readonly stage: number; readonly task: number; readonly files: readonly string[] }[] {
    return this.#tasks.flatMap((tasks, stage) => tasks.map(({ replayed }, task) => ({ stage, task, files: replayed.latest?.snapshot?.files ?? [] })));
  }

  /** A row of such a file, in its order. */
  snapshotRow(stage: number, task: number, { key, value }: SnapshotRow): void {
    const { entries } = this.#tasks[stage]![task]!.replayed;
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }

  verdict(facts: ClosingFacts): Verdict {
    const all = this.#tasks.flat();
    for (const [stage, tasks] of this.#tasks.entries()) {
      const ends = facts.ends.get(this.options.layout.stages[stage]!.changelog)!;
      for (const { replayed, audit } of tasks) {
        replayed.finish();
        audit.finish(replayed, ends[replayed.partition]!.lastStable);
      }
    }
    this.#model.compare(this.#tasks.map((tasks) => tasks.map(({ replayed }) => replayed)));
    this.#checkTransactions(facts);
    for (const stage of this.#tasks.keys()) this.#checkOffsets(stage, facts);
    const { violations } = this;
    return {
      ok: violations.none,
      ...this.#model.tally,
      epochs: all.reduce((sum, { replayed }) => sum + replayed.epochs, 0),
      largestEpoch: Math.max(0, ...all.map(({ replayed }) => replayed.largestEpoch)),
      storesAudited: all.reduce((sum, { audit }) => sum + audit.audited, 0),
      counts: violations.counts,
      samples: violations.samples,
    };
  }

  #checkTransactions({ ends, openTransactions }: ClosingFacts): void {
    for (const transaction of openTransactions) this.violations.add('transaction-open', transaction);
    const { stages, outputs } = this.options.layout;
    const shuffles = stages.slice(1).flatMap(({ inputs }) => inputs);
    for (const topic of [...outputs, ...shuffles, ...stages.map(({ changelog }) => changelog)]) {
      for (const { partition, lastStable, highWatermark } of ends.get(topic)!) {
        if (lastStable !== highWatermark)
          this.violations.add('transaction-open', `${topic} partition ${partition} is stable up to ${lastStable} of ${highWatermark}`);
      }
    }
  }

  #checkOffsets(stage: number, { ends, groupOffsets }: ClosingFacts): void {
    const { inputs, broadcasts } = this.options.layout.stages[stage]!;
    const tasks = this.#tasks[stage]!;
    for (const topic of inputs) {
      for (const end of ends.get(topic)!) {
        const { partition, highWatermark } = end;
        const least = stage === 0 ? highWatermark : (this.#lastShuffled.get(`${topic}-${partition}`) ?? -1) + 1;
        const committed = groupOffsets.get(topic)?.get(partition);
        if (!isWithin(committed, least, highWatermark))
          this.violations.add('group-offset', `${topic} partition ${partition}: ${committed ?? 'none'}, and it ends at ${least}`);
        this.#checkEpoch(tasks[partition % tasks.length]!, topic, end, least);
      }
    }
    for (const topic of broadcasts) for (const end of ends.get(topic)!) for (const task of tasks) this.#checkEpoch(task, topic, end, end.highWatermark);
  }

  #checkEpoch({ replayed }: JudgedTask, topic: string, { partition, highWatermark }: SeenEnds, least: number): void {
    const recorded = replayed.latest?.inputs.find((each) => each.topic === topic && each.partition === partition)?.offset;
    if (isWithin(recorded, least, highWatermark)) return;
    this.violations.add('epoch-behind', `task ${replayed.partition}, ${topic} partition ${partition}: ${recorded ?? 'not recorded'}, and it ends at ${least}`);
  }
}

/** Whether an offset stands where all was read. Of a partition that never held anything none need be known. */
const isWithin = (offset: number | undefined, least: number, most: number): boolean =>
  offset === undefined ? most === 0 : offset >= least && offset <= most;
