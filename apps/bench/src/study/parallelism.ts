import { writeFile } from 'node:fs/promises';
import { Trickle, TRICKLE_SENSORS } from '../input/trickle.js';
import type { BenchOptions } from '../options.js';
import { type PeerFigures, summarize } from '../report/figures.js';
import { megabytes, table, whole } from '../report/table.js';
import type { RunResult } from '../run/run-meter.js';
import type { IdleResult } from '../run/weir-run.js';
import { runNode } from '../run/run-node.js';
import { Session } from '../run/session.js';
import { describeMachine } from './machine.js';

const KEY_SETS = [1_000, 500_000] as const;
/** A trickle writes one reading into each partition so many times in an interval: every task has something to commit in every round. */
const TRICKLES_PER_INTERVAL = 4;

interface IdleFigures {
  readonly tasks: number;
  readonly quiet: IdleResult;
  readonly trickle: IdleResult;
}

/** How many tasks a sub-topology should have: the same work in one, two, four ... tasks of one process, and what a task costs by being there. */
export async function parallelismStudy(options: BenchOptions, brokers: readonly string[]): Promise<boolean> {
  const session = await Session.open(brokers, options.batchBytes);
  try {
    session.say(describeMachine({ ...options, parallelism: options.partitions }));
    const idle = await idleCosts(options, session);
    console.log(['', `Idle, a checkpoint every ${options.intervalMs} ms, ${options.partitions} partitions: processor time per second`, ...idleTable(idle)].join('\n'));
    const loads: { sensors: number; figures: readonly PeerFigures[] }[] = [];
    for (const sensors of options.sensors === undefined ? KEY_SETS : [options.sensors]) {
      const figures = await underLoad(options, session, sensors);
      loads.push({ sensors, figures });
      console.log(['', `Under load, ${whole(sensors)} keys`, ...loadTable(figures)].join('\n'));
    }
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ options, idle, loads }, undefined, 2)}\n`);
    return loads.every(({ figures }) => figures.every((each) => summarize(each).isCorrect));
  } finally {
    await session.close();
  }
}

/** 1, 2, 4 ... up to the number of partitions, which is always among them. */
function taskCounts(partitions: number): number[] {
  const counts: number[] = [];
  for (let tasks = 1; tasks < partitions; tasks *= 2) counts.push(tasks);
  return [...counts, partitions];
}

async function underLoad(options: BenchOptions, session: Session, sensors: number): Promise<PeerFigures[]> {
  const { records, partitions, seed, intervalMs, backend, runs, cacheEntries = sensors } = options;
  const input = await session.prepare({ sensors, records, partitions, seed });
  const figures = taskCounts(partitions).map((tasks) => ({ tasks, peer: `${tasks}`, runs: [] as Awaited<ReturnType<Session['checked']>>[] }));
  for (let run = 1; run <= runs; run++) {
    for (const { tasks, runs: found } of figures) {
      const spec = await session.spec(input, { parallelism: tasks, intervalMs, cacheEntries, backend });
      const result = await session.checked(input, spec, () => runNode<RunResult>({ type: 'weir', spec }));
      found.push(result);
      session.say(`  ${tasks} tasks, run ${run} of ${runs}: ${whole((result.records / result.elapsedMs) * 1_000)} records/s`);
    }
  }
  return figures;
}

function loadTable(figures: readonly PeerFigures[]): string[] {
  const rows = figures.map(summarize).map((each) => [
    each.peer,
    whole(each.recordsPerSecond),
    `${whole(each.leastRecordsPerSecond)} to ${whole(each.mostRecordsPerSecond)}`,
    each.cpuPerMillion.toFixed(2),
    megabytes(each.peakRssBytes),
    each.isCorrect ? 'all as the model' : 'WRONG',
  ]);
  return table(['tasks', 'records/s', '(least to most)', 'CPU s/million', 'peak RSS MB', 'alerts'], rows);
}

async function idleCosts({ partitions, intervalMs, backend, idleSeconds }: BenchOptions, session: Session): Promise<IdleFigures[]> {
  const topic = `weir-bench-trickle-${session.clock.newId().slice(0, 8)}`;
  await session.log.ensureTopics([{ topic, partitions, config: {} }]);
  const keySet = { sensors: TRICKLE_SENSORS, records: 0, partitions, seed: 1 };
  const found: IdleFigures[] = [];
  for (const tasks of taskCounts(partitions)) {
    const measure = async (): Promise<IdleResult> => {
      const spec = await session.spec({ keySet, topic }, { parallelism: tasks, intervalMs, cacheEntries: TRICKLE_SENSORS, backend });
      return session.inStateDir(spec, () => runNode<IdleResult>({ type: 'weir-idle', spec, seconds: idleSeconds }));
    };
    const quiet = await measure();
    const trickle = await Trickle.during(session, topic, keySet, intervalMs / TRICKLES_PER_INTERVAL, measure);
    found.push({ tasks, quiet, trickle });
    session.say(`  idle with ${tasks} tasks: ${quiet.cpuMsPerSecond.toFixed(1)} ms/s; with a trickle ${trickle.cpuMsPerSecond.toFixed(1)} ms/s`);
  }
  return found;
}

function idleTable(figures: readonly IdleFigures[]): string[] {
  const rows = figures.map(({ tasks, quiet, trickle }) => [
    `${tasks}`,
    `${quiet.cpuMsPerSecond.toFixed(1)} ms`,
    `${trickle.cpuMsPerSecond.toFixed(1)} ms`,
    trickle.commitsPerSecond.toFixed(1),
    `${((trickle.cpuMsPerSecond - quiet.cpuMsPerSecond) / trickle.commitsPerSecond).toFixed(2)} ms`,
  ]);
  return table(['tasks', 'no input', 'a trickle into every partition', 'commits/s', 'CPU per commit, above no input'], rows);
}
