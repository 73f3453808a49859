import type { RunResult } from '../run/run-meter.js';

/** One peer in one scenario: all its runs. */
export interface PeerFigures {
  readonly peer: string;
  readonly runs: readonly CheckedRun[];
}

export interface CheckedRun extends RunResult {
  /** Alerts found in the output by a reader of committed records. */
  readonly alerts: number;
  /** Whether they are the model's, by number and by content. */
  readonly isCorrect: boolean;
}

/** Medians over the runs of a peer. */
export interface Summary {
  readonly peer: string;
  readonly runs: number;
  readonly recordsPerSecond: number;
  readonly leastRecordsPerSecond: number;
  readonly mostRecordsPerSecond: number;
  /** Processor seconds per million records. */
  readonly cpuPerMillion: number;
  readonly leastCpuPerMillion: number;
  readonly mostCpuPerMillion: number;
  readonly peakRssBytes: number;
  readonly alerts: number;
  readonly isCorrect: boolean;
}

export function summarize({ peer, runs }: PeerFigures): Summary {
  const rates = runs.map(({ records, elapsedMs }) => (records / elapsedMs) * 1_000);
  const cpu = runs.map(({ records, cpuMs }) => (cpuMs / records) * 1_000);
  return {
    peer,
    runs: runs.length,
    recordsPerSecond: median(rates),
    leastRecordsPerSecond: Math.min(...rates),
    mostRecordsPerSecond: Math.max(...rates),
    cpuPerMillion: median(cpu),
    leastCpuPerMillion: Math.min(...cpu),
    mostCpuPerMillion: Math.max(...cpu),
    peakRssBytes: Math.max(...runs.map(({ peakRssBytes }) => peakRssBytes)),
    alerts: (runs.find(({ isCorrect }) => !isCorrect) ?? runs[0]!).alerts,
    isCorrect: runs.every(({ isCorrect }) => isCorrect),
  };
}

/** The middle value; of an even number the mean of the two in the middle. @throws RangeError for no values */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values have a median');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
