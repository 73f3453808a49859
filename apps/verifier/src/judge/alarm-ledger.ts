import type { SeenRecord } from '../witness/seen-record.js';
import type { Violations } from './violation.js';

/** An alarm as the service must write it. */
export interface Alarm {
  readonly id: string;
  readonly site: string;
  readonly temperature: number;
  readonly lower: number;
  readonly upper: number;
  readonly inARow: number;
  readonly timestamp: number;
}

/** Names an alarm and its reading: each reading has a timestamp of its own. */
export const alarmName = (id: string, timestamp: number): string => `${id}@${timestamp}`;

/** The topic of the alarms: each once, those of a sensor in order. */
export class AlarmLedger {
  readonly alarms = new Map<string, Alarm>();
  readonly #lastOf = new Map<string, number>();
  #records = 0;

  constructor(private readonly violations: Violations) {}

  get records(): number {
    return this.#records;
  }

  read(record: SeenRecord): void {
    this.#records++;
    const alarm = parseJson<Alarm>(record);
    const { id = '', site, temperature, lower, upper, inARow, timestamp = 0 } = alarm ?? {};
    if (alarm === undefined || !isWrittenSo(record, id, { id, site, temperature, lower, upper, inARow, timestamp })) {
      this.violations.add('alert-format', whereAndWhat(record));
      return;
    }
    if (record.home !== record.partition) this.violations.add('alert-partition', `${whereAndWhat(record)}: ${id} belongs into partition ${record.home}`);
    const name = alarmName(id, timestamp);
    if (this.alarms.has(name)) this.violations.add('alert-twice', name);
    else if (timestamp < (this.#lastOf.get(id) ?? 0)) this.violations.add('alert-order', `${name} comes after that of ${this.#lastOf.get(id)}`);
    if (!this.alarms.has(name)) this.alarms.set(name, alarm);
    this.#lastOf.set(id, timestamp);
  }
}

export function parseJson<T>({ value }: SeenRecord): T | undefined {
  try {
    return (JSON.parse(value?.toString('utf8') ?? 'null') as T | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether key and value are these, to the byte. */
export const isWrittenSo = ({ key, value }: SeenRecord, name: string, content: object): boolean =>
  key?.toString('utf8') === name && value?.toString('utf8') === JSON.stringify(content);

export const whereAndWhat = ({ partition, offset, key, value }: SeenRecord): string =>
  `${partition}@${offset}: key ${JSON.stringify(key?.toString('utf8'))}, value ${JSON.stringify(value?.toString('utf8').slice(0, 200))}`;
