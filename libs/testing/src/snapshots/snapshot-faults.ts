import { SeededRandom } from '../seeded-random.js';

/**
 * Where a fault strikes a snapshot store.
 *
 *   create:  send --> half (an unfinished file lies there) --> applied (it is there, and its creator does not know it)
 *   delete:  send --> applied
 *   read:    send        list: applied
 */
export const SNAPSHOT_POINTS = ['create:send', 'create:half', 'create:applied', 'read:send', 'list:applied', 'delete:send', 'delete:applied'] as const;
export type SnapshotPoint = (typeof SNAPSHOT_POINTS)[number];

export type SnapshotFault =
  /** The process dies here: nothing it began takes effect any more. */
  | { readonly type: 'kill' }
  /** The caller gets this error; at `applied` although it took effect. */
  | { readonly type: 'fail'; readonly error: Error }
  /** Something else happens at this very moment; the call then goes on. */
  | { readonly type: 'run'; readonly run: () => void };

export interface SnapshotFaultOptions {
  /** Which names, or directories, count; default all. */
  readonly when?: (name: string) => boolean;
  /** How many pass unharmed first. Default 0. */
  readonly skip?: number;
  /** How many are struck after that. Default 1. */
  readonly times?: number;
}

export interface PlannedSnapshotFault {
  readonly hits: number;
  remove(): void;
}

interface Rule {
  hits: number;
  strike(point: SnapshotPoint, name: string): SnapshotFault | undefined;
}

/** Which faults strike a snapshot store, and when. Rules are asked in the order in which they were planned; the first that strikes is the one. */
export class SnapshotFaults {
  readonly #rules: Rule[] = [];
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed).fork(9);
  }

  at(point: SnapshotPoint, fault: SnapshotFault, { when, skip = 0, times = 1 }: SnapshotFaultOptions = {}): PlannedSnapshotFault {
    let toSkip = skip;
    let left = times;
    return this.#plan((at, name) => {
      if (at !== point || left === 0 || when?.(name) === false) return undefined;
      if (toSkip-- > 0) return undefined;
      left--;
      return fault;
    });
  }

  /** Strikes at random, by the store's seed. @param probability of each call at each of the points, 0 to 1 */
  randomly(points: readonly SnapshotPoint[], probability: number, fault: SnapshotFault): PlannedSnapshotFault {
    return this.#plan((at) => (points.includes(at) && this.#random.chance(probability) ? fault : undefined));
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** What strikes here, if anything. */
  next(point: SnapshotPoint, name: string): SnapshotFault | undefined {
    for (const rule of this.#rules) {
      const fault = rule.strike(point, name);
      if (fault === undefined) continue;
      rule.hits++;
      return fault;
    }
    return undefined;
  }

  #plan(strike: Rule['strike']): PlannedSnapshotFault {
    const rule: Rule = { hits: 0, strike };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        const at = this.#rules.indexOf(rule);
        if (at !== -1) this.#rules.splice(at, 1);
      },
    };
  }
}
