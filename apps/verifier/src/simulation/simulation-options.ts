import { parseArgs } from 'node:util';
import { HIDING_SABOTAGES, SIMULATION_SABOTAGE_NAMES, SIMULATION_SABOTAGES, type SimulationSabotage } from './sabotages.js';
import { SIMULATED_JOBS, type SimulatedJob } from './work.js';

export interface SimulationArguments {
  readonly from: number;
  readonly seeds: number;
  /** Every so many of them: what one of several processes takes. */
  readonly step: number;
  readonly job: SimulatedJob | undefined;
  /** In turn; none: the product as it is. */
  readonly sabotages: readonly SimulationSabotage[];
  readonly workers: number;
  /** Prints every event of one seed. */
  readonly trace: boolean;
  /** Says its scenario, whatever comes of it. */
  readonly isReplay: boolean;
  readonly help: boolean;
}

export const HELP = `Runs the whole protocol in simulated time, a scenario of faults per seed, and checks what comes of it. Needs no broker.

  npm run simulate -- [options]

  --seeds N              how many seeds, default 200; of a sabotage: after how many it must be found, default 3000
  --from N               the first of them, default 1
  --seed N               this one alone, with its scenario: a failing seed replays
  --trace                with --seed: prints every call that reached the log
  --job NAME             default: by the seed. ${SIMULATED_JOBS.join(', ')}
  --workers N            processes that share the seeds, default 1
  --sabotage NAME,...    breaks a step of the protocol on purpose, and succeeds if that is found. "all" for every one but ${HIDING_SABOTAGES.join(' and ')}:
${SIMULATION_SABOTAGE_NAMES.map((name) => `      ${name.padEnd(20)} ${SIMULATION_SABOTAGES[name].what}`).join('\n')}

Exit code 0: nothing was found (or every sabotage was); 1: something was (or a sabotage was not); 2: it could not run.
`;

const SEEDS = 200;
const SABOTAGE_SEEDS = 3_000;
const MOST_WORKERS = 64;

/** @throws Error that names the option, what came and what is allowed */
export function simulationArguments(args: readonly string[]): SimulationArguments {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { seeds: text, from: text, seed: text, step: text, job: text, sabotage: text, workers: text, trace: flag, help: flag } as const;
  const { values } = parseArgs({ args: [...args], options });
  const sabotages = names(values.sabotage);
  const isReplay = values.seed !== undefined;
  const job = values.job;
  if (job !== undefined && !SIMULATED_JOBS.includes(job as SimulatedJob)) throw new Error(`--job is ${job}; it must be one of ${SIMULATED_JOBS.join(', ')}`);
  return {
    from: whole('seed', values.seed, whole('from', values.from, 1, 0, 2 ** 32), 0, 2 ** 32),
    seeds: isReplay ? 1 : whole('seeds', values.seeds, sabotages.length > 0 ? SABOTAGE_SEEDS : SEEDS, 1, 2 ** 32),
    step: whole('step', values.step, 1, 1, MOST_WORKERS),
    job: job as SimulatedJob | undefined,
    sabotages,
    workers: isReplay ? 1 : whole('workers', values.workers, 1, 1, MOST_WORKERS),
    trace: values.trace === true && isReplay,
    isReplay,
    help: values.help === true,
  };
}

function names(given: string | undefined): readonly SimulationSabotage[] {
  if (given === undefined) return [];
  if (given === 'all') return SIMULATION_SABOTAGE_NAMES.filter((name) => !HIDING_SABOTAGES.includes(name));
  return given.split(',').map((name) => {
    if (!SIMULATION_SABOTAGE_NAMES.includes(name as SimulationSabotage)) {
      throw new Error(`--sabotage is ${name}; it must be all, or some of ${SIMULATION_SABOTAGE_NAMES.join(', ')}`);
    }
    return name as SimulationSabotage;
  });
}

function whole(option: string, given: string | undefined, otherwise: number, low: number, high: number): number {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (given.trim() === '' || !Number.isInteger(value) || value < low || value > high) throw new Error(`--${option} is ${given}; it must be a whole number from ${low} to ${high}`);
  return value;
}
