import { writeFile } from 'node:fs/promises';
import type { BenchOptions } from '../options.js';
import { megabytes, table, whole } from '../report/table.js';
import { runNode } from '../run/run-node.js';
import { Session } from '../run/session.js';
import { describeMachine } from '../study/machine.js';
import type { PressureResult } from './pressure-run.js';

const SENSORS = 1_000;

interface PressureRun {
  readonly isShuffled: boolean;
  readonly result: PressureResult;
}

/**
 * A stage that is slow behind a shuffle, and the same stage alone: what lies between the stages, how long rounds take, the memory, and whether
 * the slow stage is kept busy all the time.
 * @returns whether all rounds completed
 */
export async function pressureStudy(options: BenchOptions, brokers: readonly string[]): Promise<boolean> {
  const session = await Session.open(brokers, options.batchBytes);
  try {
    session.say(describeMachine(options));
    const { records, partitions, seed, parallelism, intervalMs, backend, runs, workMicros, sensors = SENSORS, cacheEntries = sensors } = options;
    const input = await session.prepare({ sensors, records, partitions, seed });
    const found: PressureRun[] = [];
    for (let run = 1; run <= runs; run++) {
      for (const isShuffled of [false, true]) {
        const spec = await session.spec(input, { parallelism, intervalMs, cacheEntries, backend });
        const result = await session.inStateDir(spec, () => runNode<PressureResult>({ type: 'pressure', spec: { ...spec, isShuffled, workMicros } }));
        found.push({ isShuffled, result });
        session.say(`  ${nameOf(isShuffled)}, run ${run} of ${runs}: ${whole(rateOf(result, records))} records/s`);
      }
    }
    console.log(['', `${whole(records)} records, ${workMicros} us of work each`, ...report(found, records)].join('\n'));
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ options, runs: found }, undefined, 2)}\n`);
    return found.every(({ result }) => result.failedRounds === 0);
  } finally {
    await session.close();
  }
}

const nameOf = (isShuffled: boolean): string => (isShuffled ? 'behind a shuffle' : 'alone');
const rateOf = ({ elapsedMs }: PressureResult, records: number): number => (records / elapsedMs) * 1_000;

/** One line a run; the ratio is to the run before, alone. */
export function report(runs: readonly PressureRun[], records: number): string[] {
  const rows = runs.map(({ isShuffled, result }, i) => [
    nameOf(isShuffled),
    whole(rateOf(result, records)),
    isShuffled ? (rateOf(result, records) / rateOf(runs[i - 1]!.result, records)).toFixed(2) : '',
    whole(result.mostBehind),
    `${result.rounds}`,
    `${result.failedRounds}`,
    `${whole(result.longestRoundMs)} ms`,
    megabytes(result.peakRssBytes),
  ]);
  return table(['slow stage', 'records/s', 'to alone', 'most before it', 'rounds', 'failed', 'longest', 'peak RSS MB'], rows);
}
