import type { MeasuredPhase } from '../replay/phase-meter.js';
import { megabytes, table, whole } from './table.js';

/** The phases of one process. */
export interface MemoryFigures {
  readonly title: string;
  readonly phases: readonly MeasuredPhase[];
}

const HEAD = ['phase', 'operations', 'operations/s', 'CPU us each', 'peak RSS MB', 'RSS MB', 'V8 MB', 'buffers MB'];

/** What is printed of `memory`: a table for each process, then whether all stayed within the limit. Lines. */
export function memoryReport(figures: readonly MemoryFigures[], limitBytes: number): string[] {
  const peak = Math.max(...figures.flatMap(({ phases }) => phases.map(({ peakBytes }) => peakBytes)));
  const verdict = peak <= limitBytes ? 'within' : 'ABOVE';
  return [...figures.flatMap(({ title, phases }) => ['', title, ...table(HEAD, phases.map(row))]), '', `peak ${megabytes(peak)} MB resident, ${verdict} the limit of ${megabytes(limitBytes)} MB`];
}

function row({ name, operations, elapsedMs, cpuMs, residentBytes, peakBytes, heapBytes, externalBytes }: MeasuredPhase): string[] {
  const rates = operations === 0 ? [`in ${(elapsedMs / 1_000).toFixed(2)} s`, '', ''] : [whole(operations), whole((operations / elapsedMs) * 1_000), ((cpuMs * 1_000) / operations).toFixed(2)];
  return [name, ...rates, megabytes(peakBytes), megabytes(residentBytes), megabytes(heapBytes), megabytes(externalBytes)];
}

export const staysWithin = (figures: readonly MemoryFigures[], limitBytes: number): boolean =>
  figures.every(({ phases }) => phases.every(({ peakBytes }) => peakBytes <= limitBytes));
