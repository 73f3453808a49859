import type { JobName } from '../jobs/jobs.js';
import type { Verdict } from '../judge/judge.js';
import type { Rule, Violation } from '../judge/violation.js';
import type { TailRestore } from '../killer/restore-ledger.js';

/** What is said of a run. */
export interface RunReport {
  readonly job: JobName;
  readonly variant: string;
  readonly sabotage: string | undefined;
  readonly seed: number;
  /** Blows that were struck at processes of the service. */
  readonly kills: number;
  /** What was struck how often, brokers and network among it; empty where all blows are kills. */
  readonly faults: Readonly<Record<string, number>>;
  readonly lives: number;
  readonly ok: boolean;
  /** Why there is no verdict yet, or will be none. */
  readonly unfinished: string | undefined;
  /** Blows after which the first thing was found; undefined where it took the judge, at the end. */
  readonly foundAfterKills: number | undefined;
  readonly counts: Partial<Record<Rule, number>>;
  readonly samples: readonly Violation[];
  readonly readings: number;
  readonly flowSeconds: number;
  /** Median of milliseconds from the start of a process to RUNNING. */
  readonly startMs: number | undefined;
  /** Tails: restores that had to read no more than what the last epoch holds. */
  readonly restores: RestoreFigures;
  /** Committed readers that followed the outputs from beginning to end. */
  readonly readers: readonly ReaderFigures[];
  readonly deathsInspected: number;
  /** Inspected deaths that left a transaction open. */
  readonly tornTransactions: number;
  /** Undefined where a sabotage was found before. */
  readonly verdict: Omit<Verdict, 'counts' | 'samples'> | undefined;
  readonly seconds: number;
  /** Logs, state and copies of stores, if they were kept. */
  readonly folder: string | undefined;
}

export interface RestoreFigures {
  readonly count: number;
  readonly records: number;
  readonly tails: number;
  readonly tailsWithRecords: number;
  readonly largestTail: number;
}

export interface ReaderFigures {
  readonly reader: string;
  readonly topic: string;
  readonly records: number;
  /** The longest time without a new record. */
  readonly longestGapMs: number;
}

export const withoutFindings = ({ counts: _counts, samples: _samples, ...rest }: Verdict): Omit<Verdict, 'counts' | 'samples'> => rest;

export function tailsOf(tails: readonly TailRestore[]): Pick<RestoreFigures, 'tails' | 'tailsWithRecords' | 'largestTail'> {
  const records = tails.map((tail) => tail.records);
  return { tails: tails.length, tailsWithRecords: records.filter((count) => count > 0).length, largestTail: Math.max(0, ...records) };
}

export function median(numbers: readonly number[]): number | undefined {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? undefined : Math.round(sorted[Math.floor(sorted.length / 2)]!);
}

export const rounded = (seconds: number): number => Math.round(seconds * 10) / 10;
