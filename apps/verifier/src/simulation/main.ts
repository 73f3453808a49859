import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { clockOf } from '@weir/core';
import { type SimulationSabotage, SIMULATION_SABOTAGES } from './sabotages.js';
import { scenarioOf, spelledScenario } from './scenario.js';
import { simulate } from './simulate.js';
import { HELP, simulationArguments, type SimulationArguments } from './simulation-options.js';

/** `npm run simulate`: runs seeds in turn, in this process or in several, and says which of them failed and what they found. */

/** What came of some seeds. */
interface Tally {
  seeds: number;
  failed: number;
  rounds: number;
  deaths: number;
  simulatedMs: number;
}

const NOTHING: Tally = { seeds: 0, failed: 0, rounds: 0, deaths: 0, simulatedMs: 0 };
/** Findings of one seed that are printed: one fault shows in many places. */
const SHOWN_FINDINGS = 8;
const PROGRESS_EVERY = 500;
const clock = clockOf(globalThis);

async function main(): Promise<void> {
  const options = simulationArguments(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return;
  }
  let isGood = true;
  if (options.sabotages.length > 0) {
    for (const name of options.sabotages) isGood = (await lookFor(name, options)) && isGood;
  } else {
    const began = clock.monotonic();
    const tally = options.workers > 1 ? await inWorkers(options) : await runSeeds(options);
    if (process.send !== undefined) process.send(tally);
    else console.log(summary(tally, clock.monotonic() - began));
    isGood = tally.failed === 0;
  }
  process.exitCode = isGood ? 0 : 1;
}

async function runSeeds({ from, seeds, step, job, trace, isReplay }: SimulationArguments): Promise<Tally> {
  const tally = { ...NOTHING };
  for (let seed = from; seed < from + seeds; seed += step) {
    const scenario = scenarioOf(seed, job);
    if (isReplay) console.log(spelledScenario(scenario));
    const result = await simulate(scenario, { tell: trace ? (line) => console.log(line) : undefined });
    add(tally, { seeds: 1, failed: result.findings.length > 0 ? 1 : 0, ...result });
    if (isReplay) console.log(`events: ${result.events}, hash ${result.hash}`);
    if (result.findings.length > 0) {
      if (!isReplay) console.log(spelledScenario(scenario));
      console.log(failure(seed, job, result.findings));
    } else if (tally.seeds % PROGRESS_EVERY === 0) console.log(`... seed ${seed}`);
  }
  return tally;
}

const failure = (seed: number, job: string | undefined, findings: readonly string[]): string =>
  [
    `SEED ${seed} FAILED (again with: npm run simulate -- --seed ${seed}${job === undefined ? '' : ` --job ${job}`})`,
    ...findings.slice(0, SHOWN_FINDINGS).map((finding) => `  - ${finding}`),
    ...(findings.length > SHOWN_FINDINGS ? [`  and ${findings.length - SHOWN_FINDINGS} more`] : []),
  ].join('\n');

/** Each worker takes every so many of the seeds. */
async function inWorkers({ from, seeds, job, workers }: SimulationArguments): Promise<Tally> {
  const tally = { ...NOTHING };
  const work = Array.from({ length: workers }, (_, i) => {
    const args = ['--from', String(from + i), '--seeds', String(seeds - i), '--step', String(workers), ...(job === undefined ? [] : ['--job', job])];
    return new Promise<void>((resolve, reject) => {
      const worker = fork(fileURLToPath(import.meta.url), args);
      worker.on('message', (message) => add(tally, message as Tally));
      worker.on('exit', (code) => (code === 0 || code === 1 ? resolve() : reject(new Error(`worker ${i} ended with code ${code}`))));
    });
  });
  await Promise.all(work);
  return tally;
}

function add(to: Tally, { seeds, failed, rounds, deaths, simulatedMs }: Tally): void {
  to.seeds += seeds;
  to.failed += failed;
  to.rounds += rounds;
  to.deaths += deaths;
  to.simulatedMs += simulatedMs;
}

function summary({ seeds, failed, rounds, deaths, simulatedMs }: Tally, tookMs: number): string {
  const each = (tookMs / seeds).toFixed(1);
  return `${seeds} seeds, ${failed} failed; ${rounds} rounds, ${deaths} deaths, ${Math.round(simulatedMs / 1000)} simulated seconds; ${(tookMs / 1000).toFixed(1)} s, ${each} ms a seed`;
}

/** True if it is found. */
async function lookFor(name: SimulationSabotage, { from, seeds, job }: SimulationArguments): Promise<boolean> {
  const made = SIMULATION_SABOTAGES[name].job;
  for (let seed = from; seed < from + seeds; seed++) {
    const { findings } = await simulate(scenarioOf(seed, job ?? made), { sabotage: name });
    if (findings.length === 0) continue;
    console.log(`${name.padEnd(20)} found by seed ${seed}, after ${seed - from + 1} seeds: ${findings[0]}`);
    return true;
  }
  console.log(`${name.padEnd(20)} NOT FOUND in ${seeds} seeds`);
  return false;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
