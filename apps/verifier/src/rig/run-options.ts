import { parseArgs } from 'node:util';
import { JOB_NAMES, type JobName } from '../jobs/jobs.js';
import { isSiege, SIEGES, VARIANT_NAMES, type Variant, VARIANTS } from '../killer/kill-plan.js';
import { SABOTAGE_NAMES, SABOTAGES, type SabotageName } from '../sabotaged/sabotage-names.js';

/** One run: one variant, on topics of its own. */
export interface RunOptions {
  /** Empty: the rig starts one. Not used by variants with a cluster of their own. */
  readonly brokers: string;
  readonly job: JobName;
  readonly variant: Variant;
  readonly seed: number;
  readonly kills: number;
  /** Of a cluster of its own: brokers that are ended and started again, and disturbances of the network. */
  readonly brokerRestarts: number;
  readonly proxyFaults: number;
  readonly readings: number;
  readonly sensors: number;
  readonly partitions: number;
  /** Seconds over which the readings are spread, at least; they flow on until after the last kill. */
  readonly flowSeconds: number;
  readonly checkpointIntervalMs: number;
  /** Copies of each task's state that other replicas keep: of variants with several. */
  readonly standbys: number;
  /** Of rolling: each replica is killed, and started again once it is missed, instead of told to stop. */
  readonly sigkill: boolean;
  readonly sabotage: SabotageName | undefined;
  /** Where a run keeps logs, state and copies of stores; a fresh folder below it for each run. */
  readonly folder: string | undefined;
  /** Keeps the folder of a run without violations, too. */
  readonly keep: boolean;
}

export interface RigArguments {
  /** In turn. */
  readonly runs: readonly RunOptions[];
  /** The file that gets a report in Markdown, of the last run. */
  readonly report: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

const USUAL = { kills: 10, readings: 200_000, sensors: 2_000, checkpointIntervalMs: 100 };
const TENTH = { ...USUAL, kills: 100, readings: 1_000_000 };
const SABOTAGE_RUN = { kills: 4, readings: 20_000, sensors: 400, checkpointIntervalMs: 50 };

export const HELP = `Kills a service while readings flow, restarts it, and judges what it has committed.

  node dist/apps/verifier/main.js [options]

  --brokers HOST:PORT    default: KAFKA_BROKERS, else the rig starts one. Not for ${SIEGES.join(' and ')}: what strikes brokers starts its own
  --job NAME,...         the service, "all" for every one: ${JOB_NAMES.join(', ')}; default: the first, or of a sabotage the one that it is made for
  --variant NAME,...     default: kill. "all" for every one:
${VARIANT_NAMES.map((name) => `      ${name.padEnd(9)} ${VARIANTS[name]}`).join('\n')}
  --kills N              default 10
  --broker-restarts N    of ${SIEGES[0]}: brokers killed or stopped, and started again; default: a tenth of the kills
  --proxy-faults N       of ${SIEGES.join(' and ')}: disturbances of the network; default: a tenth of the kills, of proxy as many
  --tenth                a tenth of the long run: --variant brokers --kills 100 --readings 1000000 (the long run: 1000 and 10000000)
  --readings N           default 200000
  --sensors N            default 2000
  --partitions N         of inputs and outputs, default 8
  --flow-seconds N       how long the readings flow, at least; default 10. They flow until after the last kill
  --checkpoint-ms N      milliseconds between checkpoints, default 100
  --standbys N           copies of state that other replicas keep, of variants with several; default 0
  --sigkill              of rolling: kills each replica, and starts it again once its tasks have gone to others
  --seed N               default: chosen, and printed
  --sabotage NAME,...    runs a service that is broken on purpose, and succeeds if the rig finds it. "all" for every one:
${SABOTAGE_NAMES.map((name) => `      ${name.padEnd(16)} ${SABOTAGES[name].what}`).join('\n')}
  --folder DIR           where runs keep what they need; default: the system's folder for temporary files
  --keep                 keeps it, also where nothing was found
  --report FILE          writes a report in Markdown there, each minute and at the end
  --json                 prints one report a line

Exit code 0: nothing was found (or every sabotage was); 1: something was (or a sabotage was not); 2: it could not run.
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  brokers: text,
  job: text,
  variant: text,
  kills: text,
  readings: text,
  sensors: text,
  partitions: text,
  'flow-seconds': text,
  'checkpoint-ms': text,
  'broker-restarts': text,
  'proxy-faults': text,
  standbys: text,
  sigkill: flag,
  seed: text,
  sabotage: text,
  folder: text,
  report: text,
  tenth: flag,
  keep: flag,
  json: flag,
  help: flag,
} as const;

/** @throws Error that names the option, what came and what is allowed */
export function rigArguments(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  chooseSeed: () => number,
): RigArguments {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const number = (name: keyof typeof values, fallback: number, least: number, most: number): number => {
    const given = values[name];
    if (given === undefined) return fallback;
    const value = Number(given);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new Error(`--${name} is ${String(given)}; allowed: a whole number from ${least} to ${most}`);
    return value;
  };
  const help = values.help ?? false;
  const tenth = values.tenth ?? false;
  const brokers = values.brokers ?? env['KAFKA_BROKERS'] ?? '';
  const jobs = listOf('job', values.job ?? '', JOB_NAMES);
  const sabotages = listOf('sabotage', values.sabotage ?? '', SABOTAGE_NAMES);
  const variants = listOf('variant', values.variant ?? (tenth ? 'brokers' : 'kill'), VARIANT_NAMES);
  const ownCluster = variants.filter(isSiege);
  if (values.brokers !== undefined && ownCluster.length > 0)
    throw new Error(`--brokers is given, and ${ownCluster.join(', ')} strikes brokers: it starts a cluster of its own. Leave one of the two out.`);
  const others = variants.filter((variant) => variant !== 'rolling');
  if (values.sigkill === true && others.length > 0) throw new Error(`--sigkill is of variant rolling, not of ${others.join(', ')}`);
  const seed = number('seed', chooseSeed(), 0, 2 ** 32 - 1);
  const jobsOr = (job: JobName): readonly JobName[] => (jobs.length > 0 ? jobs : [job]);
  const make = (job: JobName, variant: Variant, sabotage: SabotageName | undefined, seedOfRun: number): RunOptions => {
    const defaults = sabotage !== undefined ? SABOTAGE_RUN : tenth ? TENTH : USUAL;
    const kills = number('kills', defaults.kills, 0, 100_000);
    return {
      brokers,
      job,
      variant,
      sabotage,
      kills,
      brokerRestarts: variant === 'brokers' ? number('broker-restarts', Math.ceil(kills / 10), 0, 10_000) : 0,
      proxyFaults: isSiege(variant) ? number('proxy-faults', variant === 'proxy' ? kills : Math.ceil(kills / 10), 0, 100_000) : 0,
      seed: seedOfRun,
      readings: number('readings', defaults.readings, 1, 1e9),
      sensors: number('sensors', defaults.sensors, 1, 1e7),
      partitions: number('partitions', 8, 1, 1_000),
      flowSeconds: number('flow-seconds', 10, 0, 1e6),
      checkpointIntervalMs: number('checkpoint-ms', defaults.checkpointIntervalMs, 10, 600_000),
      standbys: number('standbys', 0, 0, 100),
      sigkill: values.sigkill ?? false,
      folder: values.folder,
      keep: values.keep ?? false,
    };
  };
  const runs =
    sabotages.length > 0
      ? sabotages.flatMap((name) => jobsOr(SABOTAGES[name].job).map((job) => make(job, SABOTAGES[name].variant, name, seed)))
      : jobsOr(JOB_NAMES[0]!).flatMap((job) => variants.map((variant) => make(job, variant, undefined, seed)));
  return { runs, report: values.report, json: values.json ?? false, help };
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
