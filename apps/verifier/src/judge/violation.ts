import type { SeenRecord } from '../witness/seen-record.js';

/**
 * What the verifier can find wrong. Each rule is one sentence that must hold; a finding says where it does not.
 */
export const RULES = {
  // Output, against the model of the input.
  'alert-missing': 'every alert that the input calls for is in the output',
  'alert-twice': 'no alert is in the output twice',
  'alert-order': 'the alerts of a sensor are in the order of its readings',
  'alert-altered': 'an alert says what the model says',
  'alert-alien': 'there is no alert that the input does not call for',
  'alert-format': 'an alert is written to the byte as documented, under the key of its sensor',
  'alert-partition': 'the alerts of a sensor lie where the Java client puts its key',
  'limit-wrong': 'a reading is checked against a limit that its sensor had in the epoch of the reading',
  'limit-went-back': 'limits never go back: what a task has read of them, holds for all that it reads later',
  'count-missing': 'every alarm is counted at its site',
  'count-twice': 'no alarm is counted twice',
  'count-alien': 'what is counted is an alarm of that site',
  'count-order': 'the alarms of a sensor are counted in their order',
  'count-gap': 'the counts of a site are 1, 2, 3 and so on',
  // State, replayed from the changelog.
  'state-wrong': 'the changelog, replayed, holds the state that the model calls for, and nothing else',
  'state-placement': 'state lies in the changelog of the task, and under the key group, that the key hashes to',
  'epoch-incomplete': 'the last record of every changelog partition is an epoch record',
  'epoch-went-back': 'barriers and input offsets of epoch records never go back',
  'epoch-behind': 'the last epoch record stands at the end of its inputs',
  // The log itself.
  'transaction-open': 'no transaction is open, and the last stable offset is the high watermark',
  'group-offset': "the group's offsets are the end of the input",
  'readers-disagree': "Weir's reader and Kafka's Java client read the same records",
  'reader-saw-uncommitted': 'what a committed reader sees during the faults is what the topic holds afterwards',
  'reader-ended': 'a committed reader follows an output from beginning to end, whatever happens meanwhile',
  'input-misplaced': 'the input lies where the Java client puts its keys (a mistake of the rig, not of the service)',
  // Around kills.
  'store-ahead': "what a killed process leaves in a store is what the changelog holds below the store's position",
  'store-wiped': 'a store survives every kill, and is read again',
  'restore-long': "a restore reads only the changelog's tail",
  'cut-torn': "after a kill, the group's offsets are those of the last committed epoch records",
  'cluster-stuck': 'a cluster of which one broker was struck is whole again within two minutes (a mistake of Kafka or of the rig)',
  'service-ended': 'the service does not end by itself',
  'service-stuck': 'a restarted service comes to RUNNING, and reads its input to the end',
  'stop-unclean': 'after SIGTERM the service exits with 0 within 10 s, its final checkpoint taken',
} as const;

export type Rule = keyof typeof RULES;

export interface Violation {
  readonly rule: Rule;
  /** What was found, where. */
  readonly detail: string;
}

/** Findings by rule: each is counted, the first few are kept. */
export class Violations {
  readonly #counts = new Map<Rule, number>();
  readonly #samples: Violation[] = [];

  constructor(private readonly samplesPerRule = 5) {}

  add(rule: Rule, detail: string): void {
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count <= this.samplesPerRule) this.#samples.push({ rule, detail });
  }

  /** An input record that lies where its key does not belong, or has another key than `id`. */
  checkPlace({ home, partition, offset, key }: SeenRecord, id: string): void {
    if (home !== partition || key?.toString('utf8') !== id)
      this.add('input-misplaced', `partition ${partition}@${offset}: ${id} belongs into partition ${home}`);
  }

  /** Findings of all rules. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  get none(): boolean {
    return this.#samples.length === 0;
  }

  get counts(): Partial<Record<Rule, number>> {
    return Object.fromEntries(this.#counts);
  }

  get samples(): readonly Violation[] {
    return this.#samples;
  }
}
