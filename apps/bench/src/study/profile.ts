import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchOptions } from '../options.js';
import { RUNS_DIR } from '../places.js';
import { costsOf, type Cost, type CpuProfile } from '../report/cpu-profile.js';
import { table, whole } from '../report/table.js';
import type { RunResult } from '../run/run-meter.js';
import { runNode } from '../run/run-node.js';
import { Session } from '../run/session.js';
import { describeMachine } from './machine.js';

const TOP_AREAS = 12;
const TOP_FUNCTIONS = 45;
const SENSORS = 1_000;

/** One run of weir, and one of the bare path, under the profiler: where the time goes, and what of it is Weir's own. */
export async function profile(options: BenchOptions, brokers: readonly string[]): Promise<boolean> {
  const session = await Session.open(brokers, options.batchBytes);
  try {
    session.say(describeMachine({ ...options, runs: 1 }));
    const { records, partitions, seed, sensors = SENSORS, cacheEntries = sensors, parallelism, intervalMs, backend } = options;
    const input = await session.prepare({ sensors, records, partitions, seed });
    let isCorrect = true;
    for (const type of ['bare', 'weir'] as const) {
      if (!options.peers.includes(type)) continue;
      const spec = await session.spec(input, { parallelism, intervalMs, cacheEntries, backend });
      const file = join(RUNS_DIR, `${type}-${sensors}-${cacheEntries}.cpuprofile`);
      const result = await session.checked(input, spec, () => runNode<RunResult>({ type, spec: { ...spec, profile: file } }));
      isCorrect &&= result.isCorrect;
      const costs = costsOf(JSON.parse(await readFile(file, 'utf8')) as CpuProfile);
      console.log(`\n${type}, ${whole(sensors)} keys, ${whole(cacheEntries)} of them on a task's heap at most; profile in ${file}`);
      console.log(`${whole(costs.busyMs)} ms busy on the main thread, ${whole(result.cpuMs)} ms on all; ${whole((records / result.elapsedMs) * 1_000)} records/s under the profiler\n`);
      console.log([...costTable('area', costs.areas.slice(0, TOP_AREAS), records), '', ...costTable('function', costs.functions.slice(0, TOP_FUNCTIONS), records)].join('\n'));
    }
    return isCorrect;
  } finally {
    await session.close();
  }
}

/** Milliseconds over so many records are nanoseconds a record. */
const costTable = (title: string, costs: readonly Cost[], records: number): string[] =>
  table(
    [title, 'ms', 'share', 'ns/record'],
    costs.map(({ name, selfMs, share }) => [name, whole(selfMs), `${(share * 100).toFixed(1)} %`, whole((selfMs * 1e6) / records)]),
  );
