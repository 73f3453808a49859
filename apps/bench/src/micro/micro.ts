import { writeFile } from 'node:fs/promises';
import type { BenchOptions } from '../options.js';
import { median } from '../report/figures.js';
import { table } from '../report/table.js';
import { runNode } from '../run/run-node.js';
import { MICRO_CASES, type MicroCase } from './cases.js';

const BASELINE: MicroCase = 'plain loop with a Map, 1,000 keys';

/** Costs of single parts, each in a process of its own, cases in turn, medians over the runs; the plain loop is the measure. */
export async function micro({ runs, json }: BenchOptions): Promise<boolean> {
  const names = Object.keys(MICRO_CASES) as MicroCase[];
  const found = new Map<MicroCase, number[]>(names.map((name) => [name, []]));
  for (let run = 1; run <= runs; run++) {
    for (const name of names) {
      const { nanoseconds } = await runNode<{ readonly nanoseconds: number }>({ type: 'micro', name });
      found.get(name)!.push(nanoseconds);
      process.stderr.write(`  ${name}, run ${run} of ${runs}: ${nanoseconds.toFixed(1)} ns\n`);
    }
  }
  const medians = new Map(names.map((name) => [name, median(found.get(name)!)]));
  const baseline = medians.get(BASELINE)!;
  const rows = names.map((name) => {
    const each = found.get(name)!;
    return [name, medians.get(name)!.toFixed(1), `${Math.min(...each).toFixed(1)} to ${Math.max(...each).toFixed(1)}`, (medians.get(name)! / baseline).toFixed(2)];
  });
  console.log(['', ...table(['one record, key or value', 'ns', '(least to most)', `of ${BASELINE}`], rows)].join('\n'));
  if (json !== undefined) await writeFile(json, `${JSON.stringify(Object.fromEntries(found), undefined, 2)}\n`);
  return true;
}
