import { resolve } from 'node:path';
import type { LogLevel } from '@nestjs/common';
import { CHECKPOINTING_MODES, PARTITIONER_NAMES, type CheckpointingMode, type PartitionerName } from '@weir/core';

/** What the job itself needs to know. */
export class AlertSettings {
  constructor(
    readonly inputTopic: string,
    readonly outputTopic: string,
    readonly inputPartitioner: 'auto' | PartitionerName,
    readonly threshold: number,
  ) {}
}

export interface ServiceSettings {
  readonly brokers: readonly string[];
  readonly applicationId: string;
  readonly stateDir: string;
  readonly stateBackend: 'rocksdb' | 'memory';
  readonly host: string;
  readonly port: number;
  readonly checkpointIntervalMs: number;
  readonly checkpointMode: CheckpointingMode;
  readonly parallelism: number | undefined;
  /** Of Nest's logger. */
  readonly logLevels: readonly LogLevel[];
  readonly alerts: AlertSettings;
}

const LOG_LEVELS = ['error', 'warn', 'log', 'debug'] as const satisfies readonly LogLevel[];

type Environment = Readonly<Record<string, string | undefined>>;

/** A setting that the service cannot start with. */
export class SettingError extends Error {
  override readonly name = 'SettingError';

  constructor(name: string, value: string | undefined, allowed: string) {
    super(value === undefined ? `${name} is not set; it takes ${allowed}.` : `${name} is ${JSON.stringify(value)}; allowed: ${allowed}.`);
  }
}

/**
 * Reads the service's settings from environment variables; an empty one counts as not set.
 * @throws SettingError that names the variable, what it is and what is allowed
 */
export function settingsFrom(environment: Environment): ServiceSettings {
  const read = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name]);
  return {
    brokers: brokers(read('KAFKA_BROKERS')),
    applicationId: read('APPLICATION_ID') ?? 'temperature-alerts',
    stateDir: resolve(read('STATE_DIR') ?? './data'),
    stateBackend: oneOf('STATE_BACKEND', read('STATE_BACKEND'), ['rocksdb', 'memory'], { filesystem: 'a later version' }),
    host: read('HOST') ?? '127.0.0.1',
    port: whole('PORT', read('PORT'), 8081, 0, 65_535),
    checkpointIntervalMs: whole('CHECKPOINT_INTERVAL_MS', read('CHECKPOINT_INTERVAL_MS'), 500, 10, 600_000),
    checkpointMode: checkpointMode(read('CHECKPOINT_MODE')),
    parallelism: read('PARALLELISM') === undefined ? undefined : whole('PARALLELISM', read('PARALLELISM'), 0, 1, 32_768),
    logLevels: logLevels(read('LOG_LEVEL')),
    alerts: new AlertSettings(
      topicName('INPUT_TOPIC', read('INPUT_TOPIC') ?? 'sensor-readings'),
      topicName('OUTPUT_TOPIC', read('OUTPUT_TOPIC') ?? 'temperature-alerts'),
      oneOf('INPUT_PARTITIONER', read('INPUT_PARTITIONER'), ['auto', ...PARTITIONER_NAMES]),
      degrees('ALERT_THRESHOLD', read('ALERT_THRESHOLD'), 10),
    ),
  };
}

function brokers(value: string | undefined): readonly string[] {
  const list = (value ?? '').split(',').map((broker) => broker.trim());
  if (!list.every((broker) => /^.+:\d{1,5}$/.test(broker))) {
    throw new SettingError('KAFKA_BROKERS', value, 'host:port of one or more brokers, separated by commas, e.g. 127.0.0.1:9092');
  }
  return list;
}

/** The level asked for, and all that matter more. */
function logLevels(value: string | undefined): readonly LogLevel[] {
  const level = value === undefined ? 'log' : oneOf('LOG_LEVEL', value, LOG_LEVELS);
  return ['fatal', ...LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1)];
}

function checkpointMode(value: string | undefined): CheckpointingMode {
  const built: readonly CheckpointingMode[] = ['EXACTLY_ONCE'];
  const later = CHECKPOINTING_MODES.filter((mode) => !built.includes(mode));
  return oneOf('CHECKPOINT_MODE', value, built, Object.fromEntries(later.map((mode) => [mode, 'a later version'])));
}

/** The first of `allowed` where nothing is set. @param later what is planned, with when, to be said to those who ask for it */
function oneOf<T extends string>(name: string, value: string | undefined, allowed: readonly T[], later: Readonly<Record<string, string>> = {}): T {
  if (value === undefined) return allowed[0]!;
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  const planned = later[value];
  throw new SettingError(name, value, planned === undefined ? allowed.join(', ') : `${allowed.join(', ')} (${value} comes with ${planned})`);
}

function whole(name: string, value: string | undefined, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new SettingError(name, value, `a whole number from ${min} to ${max}`);
}

function degrees(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number > 0 && Number.isFinite(number)) return number;
  throw new SettingError(name, value, 'degrees above 0, e.g. 10 or 2.5');
}

function topicName(name: string, value: string): string {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(value) && value !== '.' && value !== '..') return value;
  throw new SettingError(name, value, '1 to 249 letters, digits, ".", "_" and "-"');
}
