import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from '../options.js';
import { RUNS_DIR } from '../places.js';
import { type StateFigures, statesReport } from '../report/states-report.js';
import { whole } from '../report/table.js';
import { runNode } from '../run/run-node.js';
import { STATE_CASES } from './state-cases.js';
import { STATE_PLACES, type StatePlace, type StatesSpec } from './states-run.js';

const KEYS = 50_000;

/** Costs of each kind of state, each in a process of its own, places in turn; a plain program with a Map is the measure. */
export async function statesStudy({ sensors: keys = KEYS, records, intervalMs, runs, json }: BenchOptions): Promise<boolean> {
  console.log(
    [
      `${whole(records)} records over ${whole(keys)} keys, one task, a checkpoint every ${intervalMs} ms, a log that keeps nothing; ${runs === 1 ? 'one run' : `medians of ${runs} runs`}`,
      'processor time of all threads, from the first record to the commit of the last: decoding, state, freeze, write to the store',
      `Node ${process.version} on ${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    ].join('\n'),
  );
  const figures: StateFigures[] = STATE_CASES.map(({ title }) => ({ title, nanoseconds: { plain: [], memory: [], rocksdb: [], 'rocksdb-few-cached': [] } }));
  for (let run = 1; run <= runs; run++) {
    for (const { title, nanoseconds } of figures) {
      for (const place of STATE_PLACES) nanoseconds[place].push(await measure({ title, place, keys, records, intervalMs }));
      process.stderr.write(`  ${title}, run ${run} of ${runs}: ${STATE_PLACES.map((place) => nanoseconds[place].at(-1)!.toFixed(0)).join(', ')} ns\n`);
    }
  }
  console.log(['', ...statesReport(figures)].join('\n'));
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ keys, records, intervalMs, figures }, undefined, 2)}\n`);
  return true;
}

async function measure(spec: Omit<StatesSpec, 'stateDir'> & { readonly place: StatePlace }): Promise<number> {
  await mkdir(RUNS_DIR, { recursive: true });
  const stateDir = await mkdtemp(join(RUNS_DIR, 'states-'));
  try {
    return (await runNode<{ readonly nanoseconds: number }>({ type: 'states', spec: { ...spec, stateDir } })).nanoseconds;
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}
