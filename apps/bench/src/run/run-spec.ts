import type { Backend } from '../options.js';

/** What one run in a process of its own is to do: handed to that process as JSON. */
export interface RunSpec {
  readonly brokers: readonly string[];
  /** New for every run, so that no run finds another's state. */
  readonly applicationId: string;
  readonly input: string;
  readonly output: string;
  readonly partitions: number;
  readonly records: number;
  readonly parallelism: number;
  readonly intervalMs: number;
  /** Keys that a task keeps on the heap. */
  readonly cacheEntries: number;
  readonly backend: Backend;
  readonly stateDir: string;
  /** Where to write a CPU profile of the measured span; none if left out. */
  readonly profile?: string;
}

/** The line by which a run tells its result begins so; Kafka Streams' run says it, too. */
export const RESULT_LINE = 'RESULT ';
