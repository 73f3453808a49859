import type { SeenRecord } from '../witness/seen-record.js';
import type { Violations } from './violation.js';

export interface Limit {
  readonly site: string;
  readonly lower: number;
  readonly upper: number;
}

/**
 * A limit of a sensor, and where in the topic it holds: for whoever has read the partition up to a position (the offset of the next record)
 * from `from` to `until`, both included.
 */
export interface LimitVersion {
  readonly limit: Limit | null;
  readonly from: number;
  readonly until: number;
}

interface LimitedSensor {
  readonly partition: number;
  readonly versions: LimitVersion[];
  /** The newest value, to the byte; null for a tombstone. */
  text: string | null;
}

/** The whole history of the limits. The topic must not be compacted: the service sees no difference, and the judge needs every version. */
export class LimitLog {
  readonly #sensors = new Map<string, LimitedSensor>();
  #changes = 0;

  constructor(private readonly violations: Violations) {}

  get changes(): number {
    return this.#changes;
  }

  read(record: SeenRecord): void {
    const { partition, offset } = record;
    const id = record.key?.toString('utf8') ?? '';
    const text = record.value?.toString('utf8') ?? null;
    this.violations.checkPlace(record, id);
    this.#changes++;
    let sensor = this.#sensors.get(id);
    if (sensor === undefined) {
      sensor = { partition, versions: [{ limit: null, from: 0, until: Infinity }], text };
      this.#sensors.set(id, sensor);
    }
    sensor.versions.push({ ...sensor.versions.pop()!, until: offset });
    sensor.versions.push({ limit: text === null ? null : (JSON.parse(text) as Limit), from: offset + 1, until: Infinity });
    sensor.text = text;
  }

  /** Its partition and its versions, the first of them `null`; undefined for a sensor that never had any. */
  of(id: string): { readonly partition: number; readonly versions: readonly LimitVersion[] } | undefined {
    return this.#sensors.get(id);
  }

  /** What holds at the end, to the byte. */
  *newest(): IterableIterator<readonly [string, string]> {
    for (const [id, { text }] of this.#sensors) if (text !== null) yield [id, text];
  }
}

export const isOutside = (temperature: number, limit: Limit | null): boolean =>
  limit !== null && (temperature < limit.lower || temperature > limit.upper);
