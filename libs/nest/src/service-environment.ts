import { join, resolve } from 'node:path';
import type { LogLevel } from '@nestjs/common';
import { CHECKPOINTING_MODES, type CheckpointingMode, type GroupSettings } from '@weir/core';

/**
 * Settings of a service that runs one job, from environment variables: the names and checks that all of them share, and a reader for what
 * a job adds of its own. An empty variable counts as not set.
 */
export interface ServiceSettings {
  readonly brokers: readonly string[];
  readonly applicationId: string;
  readonly stateDir: string;
  readonly stateBackend: 'rocksdb' | 'filesystem' | 'memory';
  /** Where the filesystem backend keeps its snapshots. */
  readonly snapshotDir: string;
  readonly host: string;
  readonly port: number;
  readonly checkpointIntervalMs: number;
  readonly checkpointMode: CheckpointingMode;
  readonly parallelism: number | undefined;
  /** 'none': the process runs every task by itself. */
  readonly group: GroupSettings | 'none';
  /** Where others reach the service by HTTP; undefined: where it listens. */
  readonly advertisedUrl: string | undefined;
  /** Of Nest's logger. */
  readonly logLevels: readonly LogLevel[];
}

const INSTANCE_ID = /^[A-Za-z0-9._-]{1,200}$/;
const LOG_LEVELS = ['error', 'warn', 'log', 'debug'] as const satisfies readonly LogLevel[];

type Variables = Readonly<Record<string, string | undefined>>;

/** A setting that the service cannot start with. */
export class SettingError extends Error {
  override readonly name = 'SettingError';

  constructor(name: string, value: string | undefined, allowed: string) {
    super(value === undefined ? `${name} is not set; it takes ${allowed}.` : `${name} is ${JSON.stringify(value)}; allowed: ${allowed}.`);
  }
}

/** Reads variables. @throws SettingError that names the variable, what it is and what is allowed */
export class ServiceEnvironment {
  constructor(private readonly variables: Variables) {}

  read(name: string): string | undefined {
    return this.variables[name] === '' ? undefined : this.variables[name];
  }

  /** What every service has. @param applicationId where APPLICATION_ID is not set */
  serviceSettings(applicationId: string): ServiceSettings {
    const stateDir = resolve(this.read('STATE_DIR') ?? './data');
    return {
      brokers: this.#brokers(),
      applicationId: this.read('APPLICATION_ID') ?? applicationId,
      stateDir,
      stateBackend: this.oneOf('STATE_BACKEND', ['rocksdb', 'filesystem', 'memory']),
      snapshotDir: resolve(this.read('SNAPSHOT_DIR') ?? join(stateDir, 'snapshots')),
      host: this.read('HOST') ?? '127.0.0.1',
      port: this.whole('PORT', 8081, 0, 65_535),
      checkpointIntervalMs: this.whole('CHECKPOINT_INTERVAL_MS', 500, 10, 600_000),
      checkpointMode: this.oneOf('CHECKPOINT_MODE', CHECKPOINTING_MODES),
      parallelism: this.read('PARALLELISM') === undefined ? undefined : this.whole('PARALLELISM', 0, 1, 32_768),
      group: this.#group(),
      advertisedUrl: this.#advertisedUrl(),
      logLevels: this.#logLevels(),
    };
  }

  #group(): GroupSettings | 'none' {
    if (this.oneOf('REPLICAS', ['shared', 'one']) === 'one') return 'none';
    // Set to nothing it says the same as none: such a process has no name to come back under.
    const instanceId = this.variables['INSTANCE_ID'] === '' ? 'none' : this.read('INSTANCE_ID');
    if (instanceId !== undefined && !INSTANCE_ID.test(instanceId)) {
      throw new SettingError('INSTANCE_ID', instanceId, '1 to 200 letters, digits, ".", "_" and "-", or none');
    }
    return { instanceId, sessionTimeout: this.whole('SESSION_TIMEOUT_MS', 10_000, 1_000, 1_800_000) };
  }

  #advertisedUrl(): string | undefined {
    const value = this.read('ADVERTISED_URL');
    if (value === undefined || (/^https?:\/\//.test(value) && URL.canParse(value))) return value;
    throw new SettingError('ADVERTISED_URL', value, 'a URL with http or https, e.g. http://weir-0.weir:8081');
  }

  /** The first of `allowed` where nothing is set. @param later what is planned, with when, to be said to those who ask for it */
  oneOf<T extends string>(name: string, allowed: readonly T[], later: Readonly<Record<string, string>> = {}): T {
    const value = this.read(name);
    if (value === undefined) return allowed[0]!;
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    const planned = later[value];
    throw new SettingError(name, value, planned === undefined ? allowed.join(', ') : `${allowed.join(', ')} (${value} comes with ${planned})`);
  }

  whole(name: string, fallback: number, min: number, max: number): number {
    const value = this.read(name);
    if (value === undefined) return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new SettingError(name, value, `a whole number from ${min} to ${max}`);
  }

  topicName(name: string, fallback: string): string {
    const value = this.read(name) ?? fallback;
    if (/^[A-Za-z0-9._-]{1,249}$/.test(value) && value !== '.' && value !== '..') return value;
    throw new SettingError(name, value, '1 to 249 letters, digits, ".", "_" and "-"');
  }

  #brokers(): readonly string[] {
    const value = this.read('KAFKA_BROKERS');
    const list = (value ?? '').split(',').map((broker) => broker.trim());
    if (list.every((broker) => /^.+:\d{1,5}$/.test(broker))) return list;
    throw new SettingError('KAFKA_BROKERS', value, 'host:port of one or more brokers, separated by commas, e.g. 127.0.0.1:9092');
  }

  /** The level asked for, and all that matter more. */
  #logLevels(): readonly LogLevel[] {
    const level = this.read('LOG_LEVEL') === undefined ? 'log' : this.oneOf('LOG_LEVEL', LOG_LEVELS);
    return ['fatal', ...LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(level) + 1)];
  }
}
