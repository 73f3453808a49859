import { type PeerFigures, summarize, type Summary } from './figures.js';
import { megabytes, table, whole } from './table.js';

/** Runs shorter than this many intervals are said to be. */
const FEWEST_INTERVALS = 10;
const HEAD = ['peer', 'records/s', '(least to most)', 'CPU s/million', '(least to most)', 'peak RSS MB', 'alerts'];

/** What is printed of a scenario: a table of the peers, then how Weir compares with each. Lines. */
export function comparisonReport(title: string, expectedAlerts: number, intervalMs: number, figures: readonly PeerFigures[]): string[] {
  const summaries = figures.map(summarize);
  const rows = summaries.map((summary) => [
    summary.peer,
    whole(summary.recordsPerSecond),
    `${whole(summary.leastRecordsPerSecond)} to ${whole(summary.mostRecordsPerSecond)}`,
    summary.cpuPerMillion.toFixed(2),
    `${summary.leastCpuPerMillion.toFixed(2)} to ${summary.mostCpuPerMillion.toFixed(2)}`,
    megabytes(summary.peakRssBytes),
    summary.isCorrect ? `${whole(summary.alerts)}, all as the model` : `${whole(summary.alerts)}, WRONG: the model has ${whole(expectedAlerts)}, or others`,
  ]);
  return ['', title, ...table(HEAD, rows), ...ratios(summaries), ...steps(figures, intervalMs)];
}

/** A run ends with a checkpoint, so its length comes in steps of the interval. */
function steps(figures: readonly PeerFigures[], intervalMs: number): string[] {
  const short = figures.filter(({ runs }) => runs.some(({ elapsedMs }) => elapsedMs < FEWEST_INTERVALS * intervalMs)).map(({ peer }) => peer);
  if (short.length === 0) return [];
  return [`note: runs of ${short.join(' and ')} took less than ${FEWEST_INTERVALS} checkpoints, so their records/s come in coarse steps; compare CPU, or take more --records`];
}

function ratios(summaries: readonly Summary[]): string[] {
  const weir = summaries.find(({ peer }) => peer === 'weir');
  if (weir === undefined) return [];
  return summaries
    .filter((summary) => summary !== weir)
    .map((other) => {
      const speed = weir.recordsPerSecond / other.recordsPerSecond;
      const cpu = weir.cpuPerMillion / other.cpuPerMillion;
      return `weir / ${other.peer}: ${speed.toFixed(2)} of its records/s, ${cpu.toFixed(2)} of its CPU`;
    });
}
