import { keyGroupOf, stateIdOf } from '@weir/core';
import type { SeenEnds, SeenRecord } from '../witness/seen-record.js';
import { AlertColumns } from './alert-columns.js';
import { AlertModel } from './alert-model.js';
import { ReplayedPartition, type StoredValue } from './changelog-replay.js';
import { compareAlerts } from './compare-alerts.js';
import { OutputLedger } from './output-ledger.js';
import { parseReading } from './reading-line.js';
import { StoreAudit } from './store-audit.js';
import type { StoreCopy } from './store-digest.js';
import { type Rule, type Violation, Violations } from './violation.js';

/**
 * The exactly-once check, on facts alone: it is fed the records of input, output and changelog, each partition in order, and the ends of
 * the topics; it asks for nothing. Output = model = replayed changelog, per sensor; see RULES in violation.ts.
 */
export interface JudgeOptions {
  /** Degrees. */
  readonly threshold: number;
  readonly inputTopic: string;
  /** Partitions of the changelog: the number of tasks. */
  readonly tasks: number;
  readonly maxParallelism: number;
  readonly storeCopies: readonly StoreCopy[];
}

/** What is known once every record was read. */
export interface ClosingFacts {
  readonly input: readonly SeenEnds[];
  readonly output: readonly SeenEnds[];
  readonly changelog: readonly SeenEnds[];
  /** Next offset by partition of the input, as the group has committed it. */
  readonly groupOffsets: ReadonlyMap<number, number>;
  /** Open transactions, in words. */
  readonly openTransactions: readonly string[];
}

export interface Verdict {
  readonly ok: boolean;
  readonly readings: number;
  readonly sensors: number;
  readonly alerts: number;
  readonly expectedAlerts: number;
  readonly epochs: number;
  /** Changelog records of the largest epoch of any task: what a restore after a kill may have to read. */
  readonly largestEpoch: number;
  /** Copies of stores that were compared with the changelog. */
  readonly storesAudited: number;
  readonly counts: Partial<Record<Rule, number>>;
  readonly samples: readonly Violation[];
}

/** A stored value begins with a byte that says whether it can expire: 0 says that it cannot. */
const HEADER_BYTES = 1;
const PLAIN = 0;
/** The job's one state: operator and state names of apps/temperature-alerts. */
const LAST_TEMPERATURE = stateIdOf('temperature-change', 'last-temperature');

export class Judge {
  readonly violations = new Violations();
  readonly #model: AlertModel;
  readonly #output = new OutputLedger(this.violations);
  readonly #partitionOf = new Map<string, number>();
  readonly #changelog: readonly ReplayedPartition[];
  readonly #audits: readonly StoreAudit[];

  constructor(private readonly options: JudgeOptions) {
    this.#model = new AlertModel(options.threshold);
    this.#changelog = Array.from({ length: options.tasks }, (_, task) => new ReplayedPartition(task, this.violations));
    this.#audits = this.#changelog.map(({ partition }) => {
      const copies = options.storeCopies.filter((copy) => copy.task === partition);
      return new StoreAudit(copies, this.violations);
    });
  }

  input(record: SeenRecord): void {
    const reading = parseReading(record.value?.toString('utf8') ?? '');
    if (record.home !== record.partition || record.key?.toString('utf8') !== reading.id) {
      this.violations.add(
        'input-misplaced',
        `partition ${record.partition}@${record.offset}: ${reading.id} belongs into partition ${record.home}`,
      );
    }
    this.#partitionOf.set(reading.id, record.partition);
    this.#model.read(reading);
  }

  output(record: SeenRecord): void {
    this.#output.read(record);
  }

  changelog(record: SeenRecord): void {
    const partition = this.#changelog[record.partition]!;
    this.#audits[record.partition]!.before(record.offset, partition);
    partition.read(record);
  }

  verdict(facts: ClosingFacts): Verdict {
    this.#compareOutput();
    for (const partition of this.#changelog) {
      partition.finish();
      this.#audits[partition.partition]!.finish(partition, facts.changelog[partition.partition]!.lastStable);
    }
    this.#compareState();
    this.#checkEnds(facts);
    const { violations } = this;
    return {
      ok: violations.none,
      readings: this.#model.readings,
      sensors: this.#model.sensors.size,
      alerts: this.#output.alerts,
      expectedAlerts: this.#model.alerts,
      epochs: this.#changelog.reduce((sum, { epochs }) => sum + epochs, 0),
      largestEpoch: Math.max(0, ...this.#changelog.map((partition) => partition.largestEpoch)),
      storesAudited: this.#audits.reduce((sum, { audited }) => sum + audited, 0),
      counts: violations.counts,
      samples: violations.samples,
    };
  }

  #compareOutput(): void {
    const none = new AlertColumns();
    for (const [id, { alerts }] of this.#model.sensors) compareAlerts(id, alerts, this.#output.sensors.get(id) ?? none, this.violations);
    for (const [id, alerts] of this.#output.sensors) if (!this.#model.sensors.has(id)) compareAlerts(id, none, alerts, this.violations);
  }

  #compareState(): void {
    const found = new Set<string>();
    for (const partition of this.#changelog) {
      for (const entry of partition.values()) {
        found.add(entry.key);
        this.#compareEntry(partition.partition, entry);
      }
    }
    for (const id of this.#model.sensors.keys()) if (!found.has(id)) this.violations.add('state-wrong', `${id} has no state`);
  }

  #compareEntry(task: number, { keyGroup, stateId, key, value }: StoredValue): void {
    const where = `${key} in changelog partition ${task}`;
    const sensor = this.#model.sensors.get(key);
    const bytes = Buffer.from(key, 'utf8');
    if (stateId !== LAST_TEMPERATURE || value.length !== HEADER_BYTES + 8 || value[0] !== PLAIN || sensor === undefined) {
      this.violations.add(
        'state-wrong',
        `${where}: state ${stateId} of ${value.length} bytes, for ${sensor === undefined ? 'a sensor without readings' : 'a known sensor'}`,
      );
      return;
    }
    const stored = value.readDoubleBE(HEADER_BYTES);
    if (stored !== sensor.last) this.violations.add('state-wrong', `${where}: ${stored}, and the model says ${sensor.last}`);
    const group = keyGroupOf(bytes, 0, bytes.length, this.options.maxParallelism);
    const owner = (this.#partitionOf.get(key) ?? 0) % this.options.tasks;
    if (keyGroup !== group || task !== owner)
      this.violations.add('state-placement', `${where}, key group ${keyGroup}; it belongs into ${owner}, key group ${group}`);
  }

  #checkEnds({ input, output, changelog, groupOffsets, openTransactions }: ClosingFacts): void {
    for (const transaction of openTransactions) this.violations.add('transaction-open', transaction);
    for (const [name, ends] of [
      ['output', output],
      ['changelog', changelog],
    ] as const) {
      for (const { partition, lastStable, highWatermark } of ends) {
        if (lastStable !== highWatermark)
          this.violations.add('transaction-open', `${name} partition ${partition} is stable up to ${lastStable} of ${highWatermark}`);
      }
    }
    for (const { partition, highWatermark } of input) {
      const committed = groupOffsets.get(partition);
      const never = highWatermark === 0 && committed === undefined;
      if (committed !== highWatermark && !never)
        this.violations.add('group-offset', `input partition ${partition}: ${committed ?? 'none'}, and the input ends at ${highWatermark}`);
      const epoch = this.#changelog[partition % this.options.tasks]!.latest;
      const recorded = epoch?.inputs.find((each) => each.topic === this.options.inputTopic && each.partition === partition)?.offset;
      if (recorded !== highWatermark && highWatermark > 0) {
        this.violations.add(
          'epoch-behind',
          `input partition ${partition}: ${recorded ?? 'not recorded'}, and the input ends at ${highWatermark}`,
        );
      }
    }
  }
}
