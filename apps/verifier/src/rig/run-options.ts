import { parseArgs } from 'node:util';
import { JOB_NAMES, type JobName } from '../jobs/jobs.js';
import { VARIANT_NAMES, type Variant, VARIANTS } from '../killer/kill-plan.js';
import { SABOTAGE_NAMES, SABOTAGES, type SabotageName } from '../sabotaged/sabotage-names.js';

/** One run: one variant, on topics of its own. */
export interface RunOptions {
  readonly brokers: string;
  readonly job: JobName;
  readonly variant: Variant;
  readonly seed: number;
  readonly kills: number;
  readonly readings: number;
  readonly sensors: number;
  readonly partitions: number;
  /** Seconds over which the readings are spread, at least; they flow on until after the last kill. */
  readonly flowSeconds: number;
  readonly checkpointIntervalMs: number;
  readonly sabotage: SabotageName | undefined;
  /** Where a run keeps logs, state and copies of stores; a fresh folder below it for each run. */
  readonly folder: string | undefined;
  /** Keeps the folder of a run without violations, too. */
  readonly keep: boolean;
}

export interface RigArguments {
  /** In turn. */
  readonly runs: readonly RunOptions[];
  readonly json: boolean;
  readonly help: boolean;
}

const SABOTAGE_RUN = { kills: 4, readings: 20_000, sensors: 400, checkpointIntervalMs: 50 };

export const HELP = `Kills a service while readings flow, restarts it, and judges what it has committed.

  node dist/apps/verifier/main.js [options]

  --brokers HOST:PORT    default: KAFKA_BROKERS
  --job NAME,...         the service, "all" for every one: ${JOB_NAMES.join(', ')}; default: the first, or of a sabotage the one that it is made for
  --variant NAME,...     default: kill. "all" for every one:
${VARIANT_NAMES.map((name) => `      ${name.padEnd(9)} ${VARIANTS[name]}`).join('\n')}
  --kills N              default 10
  --readings N           default 200000
  --sensors N            default 2000
  --partitions N         of inputs and outputs, default 8
  --flow-seconds N       how long the readings flow, at least; default 10. They flow until after the last kill
  --checkpoint-ms N      milliseconds between checkpoints, default 100
  --seed N               default: chosen, and printed
  --sabotage NAME,...    runs a service that is broken on purpose, and succeeds if the rig finds it. "all" for every one:
${SABOTAGE_NAMES.map((name) => `      ${name.padEnd(16)} ${SABOTAGES[name].what}`).join('\n')}
  --folder DIR           where runs keep what they need; default: the system's folder for temporary files
  --keep                 keeps it, also where nothing was found
  --json                 prints one report a line

Exit code 0: nothing was found (or every sabotage was); 1: something was (or a sabotage was not); 2: it could not run.
`;

/** @throws Error that names the option, what came and what is allowed */
export function rigArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  chooseSeed: () => number,
): RigArguments {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      brokers: text,
      job: text,
      variant: text,
      kills: text,
      readings: text,
      sensors: text,
      partitions: text,
      'flow-seconds': text,
      'checkpoint-ms': text,
      seed: text,
      sabotage: text,
      folder: text,
      keep: flag,
      json: flag,
      help: flag,
    },
  });
  const number = (name: keyof typeof values, fallback: number, least: number, most: number): number => {
    const given = values[name];
    if (given === undefined) return fallback;
    const value = Number(given);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${name} is ${String(given)}; allowed: a whole number from ${least} to ${most}`);
    return value;
  };
  const help = values.help ?? false;
  const brokers = values.brokers ?? env['KAFKA_BROKERS'] ?? '';
  if (brokers === '' && !help)
    throw new Error('There is no broker: give --brokers or set KAFKA_BROKERS to host:port. `npm run chaos` starts one.');
  const jobs = listOf('job', values.job ?? '', JOB_NAMES);
  const sabotages = listOf('sabotage', values.sabotage ?? '', SABOTAGE_NAMES);
  const variants = listOf('variant', values.variant ?? 'kill', VARIANT_NAMES);
  const seed = number('seed', chooseSeed(), 0, 2 ** 32 - 1);
  const jobsOr = (job: JobName): readonly JobName[] => (jobs.length > 0 ? jobs : [job]);
  const make = (job: JobName, variant: Variant, sabotage: SabotageName | undefined, seedOfRun: number): RunOptions => {
    const defaults = sabotage === undefined ? { kills: 10, readings: 200_000, sensors: 2_000, checkpointIntervalMs: 100 } : SABOTAGE_RUN;
    const kills = number('kills', defaults.kills, 0, 100_000);
    return {
      brokers,
      job,
      variant,
      sabotage,
      kills,
      seed: seedOfRun,
      readings: number('readings', defaults.readings, 1, 1e9),
      sensors: number('sensors', defaults.sensors, 1, 1e7),
      partitions: number('partitions', 8, 1, 1_000),
      flowSeconds: number('flow-seconds', 10, 0, 1e6),
      checkpointIntervalMs: number('checkpoint-ms', defaults.checkpointIntervalMs, 10, 600_000),
      folder: values.folder,
      keep: values.keep ?? false,
    };
  };
  const runs =
    sabotages.length > 0
      ? sabotages.flatMap((name) => jobsOr(SABOTAGES[name].job).map((job) => make(job, SABOTAGES[name].variant, name, seed)))
      : jobsOr(JOB_NAMES[0]!).flatMap((job) => variants.map((variant) => make(job, variant, undefined, seed)));
  return { runs, json: values.json ?? false, help };
}

function listOf<T extends string>(option: string, given: string, allowed: readonly T[]): readonly T[] {
  if (given === '') return [];
  if (given === 'all') return allowed;
  return given.split(',').map((word) => {
    const found = allowed.find((name) => name === word);
    if (found === undefined) throw new Error(`--${option} is ${word}; allowed: all, ${allowed.join(', ')}`);
    return found;
  });
}
