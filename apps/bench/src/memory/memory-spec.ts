import type { MeasuredPhase } from '../replay/phase-meter.js';

/** What one process of `memory` is to do: handed to it as JSON. */
export interface MemorySpec {
  /** `fill` fills, updates and reads; `again` opens the files of `fill` and reads; `collections` has one key with a large map and a large list. */
  readonly part: 'fill' | 'again' | 'collections';
  /** Of `fill` and `again`; of `collections` the entries of the map and the elements of the list. */
  readonly keys: number;
  /** Operations of each phase with random keys. */
  readonly records: number;
  readonly parallelism: number;
  readonly intervalMs: number;
  readonly cacheEntries: number | undefined;
  /** `memoryBudgetBytes` of the backend. */
  readonly budgetBytes: number | undefined;
  readonly stateDir: string;
  readonly seed: number;
  /** Of `again`: where `fill` left the changelogs. */
  readonly ends: Readonly<Record<string, number>>;
}

export interface MemoryResult {
  readonly phases: readonly MeasuredPhase[];
  readonly ends: Readonly<Record<string, number>>;
}
