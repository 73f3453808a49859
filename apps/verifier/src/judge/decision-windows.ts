import type { EpochInputs } from './changelog-replay.js';
import type { LimitVersion } from './limit-log.js';

/** A committed epoch, as one partition of the readings sees it. */
interface Epoch {
  /** Its readings lie below this offset. */
  readonly end: number;
  /** Position in each partition of the limits at its end. */
  readonly limits: ReadonlyMap<number, number>;
}

/**
 * How much of the limits a task had read when it checked a reading: at least what the epoch record before the reading tells, at most what
 * the one behind it tells. Alarms narrow that for their neighbours in the partition, for positions never go back.
 */
export class DecisionWindows {
  /** By partition of the readings. */
  readonly #epochs: Epoch[][] = [];

  constructor(private readonly topics: { readonly input: string; readonly limits: string }) {}

  /** What an epoch record tells; those of a task in order. */
  epoch(inputs: EpochInputs['inputs']): void {
    const limits = new Map(inputs.filter(({ topic }) => topic === this.topics.limits).map(({ partition, offset }) => [partition, offset]));
    for (const { topic, partition, offset } of inputs) {
      if (topic === this.topics.input) (this.#epochs[partition] ??= []).push({ end: offset, limits });
    }
  }

  /** @param decisions of a partition's readings, in order */
  of(partition: number, decisions: readonly Decision[]): Window[] {
    const epochs = this.#epochs[partition] ?? [];
    const lowest = new Map<number, number>();
    let at = 0;
    const windows = decisions.map((decision): Window => {
      while (at < epochs.length && decision.offset >= epochs[at]!.end) at++;
      return windowOf(decision, epochs[at - 1], epochs[at], lowest);
    });
    const highest = new Map<number, number>();
    for (let i = decisions.length - 1; i >= 0; i--) {
      const { limits, version } = decisions[i]!;
      if (limits === undefined) continue;
      const window = windows[i]!;
      if (version !== undefined && window.broken === undefined) highest.set(limits, Math.min(highest.get(limits) ?? Infinity, version.until));
      window.high = Math.min(window.high, highest.get(limits) ?? Infinity);
    }
    return windows;
  }
}

/** What is known of the check of a reading. */
export interface Decision {
  readonly offset: number;
  /** Partition of the limits that its sensor's are in; undefined for a sensor without any. */
  readonly limits: number | undefined;
  /** The limit that it was checked against, if an alarm says so. */
  readonly version: LimitVersion | undefined;
}

/** The task's position in the sensor's partition of the limits lay from `low` to `high`, both included. */
export interface Window {
  readonly low: number;
  high: number;
  /** The rule that the named version breaks. */
  readonly broken: 'limit-wrong' | 'limit-went-back' | undefined;
}

function windowOf({ limits, version }: Decision, before: Epoch | undefined, own: Epoch | undefined, lowest: Map<number, number>): Window {
  if (limits === undefined) return { low: 0, high: Infinity, broken: undefined };
  const atLeast = before?.limits.get(limits) ?? 0;
  const high = own?.limits.get(limits) ?? Infinity;
  const low = Math.max(atLeast, lowest.get(limits) ?? 0);
  if (version === undefined) return { low, high, broken: undefined };
  if (version.from > high || version.until < atLeast) return { low, high, broken: 'limit-wrong' };
  if (version.until < low) return { low, high, broken: 'limit-went-back' };
  lowest.set(limits, Math.max(low, version.from));
  return { low: Math.max(low, version.from), high, broken: undefined };
}
