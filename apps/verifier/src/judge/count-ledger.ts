import type { SeenRecord } from '../witness/seen-record.js';
import { type Alarm, alarmName, isWrittenSo, parseJson, whereAndWhat } from './alarm-ledger.js';
import type { Violations } from './violation.js';

interface Count {
  readonly site: string;
  readonly alarms: number;
  readonly lastSensor: string;
  readonly lastTimestamp: number;
}

/** The topic of the counts: at each site 1, 2, 3 and so on, each for an alarm of the site, and each alarm once. */
export class CountLedger {
  /** The count of each site as it was said last. */
  readonly latest = new Map<string, number>();
  readonly partitionOf = new Map<string, number>();
  /** Site by the alarm that was counted. */
  readonly #counted = new Map<string, string>();
  readonly #lastOf = new Map<string, number>();

  constructor(private readonly violations: Violations) {}

  get counted(): number {
    return this.#counted.size;
  }

  read(record: SeenRecord): void {
    const { violations } = this;
    const { site = '', alarms = 0, lastSensor = '', lastTimestamp = 0 } = parseJson<Partial<Count>>(record) ?? {};
    if (!isWrittenSo(record, site, { site, alarms, lastSensor, lastTimestamp })) {
      violations.add('alert-format', `counts ${whereAndWhat(record)}`);
      return;
    }
    if (record.home !== record.partition) violations.add('alert-partition', `counts ${whereAndWhat(record)}: ${site} belongs into partition ${record.home}`);
    const before = this.latest.get(site) ?? 0;
    if (alarms !== before + 1) violations.add('count-gap', `${site}: ${alarms} after ${before}`);
    this.latest.set(site, alarms);
    this.partitionOf.set(site, record.partition);
    const name = alarmName(lastSensor, lastTimestamp);
    const pair = `${site} ${lastSensor}`;
    if (this.#counted.has(name)) violations.add('count-twice', `${site}: ${name}`);
    else if (lastTimestamp < (this.#lastOf.get(pair) ?? 0)) violations.add('count-order', `${site}: ${name} comes after that of ${this.#lastOf.get(pair)}`);
    this.#counted.set(name, site);
    this.#lastOf.set(pair, lastTimestamp);
  }

  /** What was counted is what was raised. */
  compare(alarms: ReadonlyMap<string, Alarm>): void {
    for (const [name, { site }] of alarms) if (this.#counted.get(name) !== site) this.violations.add('count-missing', `${site}: ${name}`);
    for (const [name, site] of this.#counted) if (alarms.get(name)?.site !== site) this.violations.add('count-alien', `${site}: ${name}`);
  }
}
