import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from '../options.js';
import { RUNS_DIR } from '../places.js';
import { type MemoryFigures, memoryReport, staysWithin } from '../report/memory-report.js';
import { megabytes, whole } from '../report/table.js';
import { runNode } from '../run/run-node.js';
import type { MemoryResult, MemorySpec } from './memory-spec.js';
import { canWatch, limitResident, MemoryExceededError } from './resident-watch.js';

const KEYS = 5_000_000;
const COLLECTION_ENTRIES = 1_000_000;
/** Keys that a task keeps on the heap: what epochs of a task hold at least. */
const CACHE_ENTRIES = 20_000;

/**
 * Whether state far larger than a process stays out of it: many keys, and one key with a large map and a large list. Each process has a
 * limit; one that exceeds it is killed, and the study has failed.
 */
export async function memoryStudy(options: BenchOptions): Promise<boolean> {
  const { limitBytes, sensors = KEYS, parallelism, json } = options;
  const keys = Math.ceil(sensors / parallelism) * parallelism;
  console.log(describe(options, keys));
  await mkdir(RUNS_DIR, { recursive: true });
  const stateDir = await mkdtemp(join(RUNS_DIR, 'memory-'));
  const figures: MemoryFigures[] = [];
  const run = async (title: string, part: Pick<MemorySpec, 'part' | 'keys' | 'ends'>): Promise<MemoryResult> => {
    const result = await runLimited(options, { ...specOf(options, stateDir), ...part });
    figures.push({ title, phases: result.phases });
    return result;
  };
  try {
    const filled = await run(`${whole(keys)} keys`, { part: 'fill', keys, ends: {} });
    await run('the same after a restart', { part: 'again', keys, ends: filled.ends });
    await rm(stateDir, { recursive: true, force: true });
    await run(`one key with a map and a list of ${whole(COLLECTION_ENTRIES)}`, { part: 'collections', keys: COLLECTION_ENTRIES, ends: {} });
  } catch (thrown) {
    if (!(thrown instanceof MemoryExceededError)) throw thrown;
    console.log([...(figures.length === 0 ? [] : memoryReport(figures, limitBytes)), '', thrown.message].join('\n'));
    return false;
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
  console.log(memoryReport(figures, limitBytes).join('\n'));
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ options, figures }, undefined, 2)}\n`);
  return staysWithin(figures, limitBytes);
}

function describe({ limitBytes, budgetBytes, heapBytes, parallelism, records, intervalMs }: BenchOptions, keys: number): string {
  const lines = [
    `${whole(keys)} keys with values of 100 bytes in RocksDB, ${parallelism} tasks, ${whole(records)} operations with random keys a phase, a checkpoint every ${intervalMs} ms`,
    `processes that may have ${megabytes(limitBytes)} MB resident, of it ${megabytes(budgetBytes)} MB for RocksDB and ${megabytes(heapBytes)} MB for V8's old space; a log that keeps nothing`,
    `Node ${process.version} on ${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
  ];
  if (!canWatch()) lines.push('note: this system has no /proc to watch a process by; the peaks below are what the processes say of themselves at the end of each phase');
  return lines.join('\n');
}

const specOf = ({ records, parallelism, intervalMs, cacheEntries, budgetBytes, seed }: BenchOptions, stateDir: string): Omit<MemorySpec, 'part' | 'keys' | 'ends'> => ({
  records, parallelism, intervalMs, cacheEntries: cacheEntries ?? CACHE_ENTRIES, budgetBytes, stateDir, seed,
});

async function runLimited({ limitBytes, heapBytes }: BenchOptions, spec: MemorySpec): Promise<MemoryResult> {
  const oldSpaceMebibytes = Math.floor(heapBytes / 2 ** 20);
  return runNode<MemoryResult>({ type: 'memory', spec }, { flags: [`--max-old-space-size=${oldSpaceMebibytes}`], watch: limitResident(limitBytes) });
}
