import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { BenchOptions } from '../options.js';
import { whole } from '../report/table.js';

/** What was measured, and on what: figures mean nothing without it. */
export function describeMachine({ records, partitions, parallelism, intervalMs, backend, batchBytes, runs }: BenchOptions): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${whole(records)} readings, ${partitions} partitions, ${parallelism} tasks, exactly-once, a checkpoint every ${intervalMs} ms, state in ${backend} with a changelog`,
    `input in batches of ${whole(batchBytes)} bytes; ${runs === 1 ? 'one run' : `medians of ${runs} runs, peers in turn`}; from the first record to the commit that covers the last`,
    `Node ${process.version} on ${availableParallelism()} x ${model}, ${gigabytes} GB; load ${loadavg()[0]!.toFixed(1)} before the first run`,
  ].join('\n');
}
