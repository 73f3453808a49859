import { join, resolve } from 'node:path';
import type { LogLevel } from '@nestjs/common';
import { type BadRecordAction, type BadRecordPolicy, CHECKPOINTING_MODES, type CheckpointingMode, type GroupSettings, RESTART_STRATEGIES, type RestartStrategySettings } from '@weir/core';

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
  readonly badRecords: BadRecordPolicy;
  /** Undefined: the framework's. */
  readonly restartStrategy: RestartStrategySettings | undefined;
  /** Whether the process ends once the job has FAILED, with 1 or with this exit code: an option of StreamModule. */
  readonly exitOnFailure: boolean | number;
  /** Of Nest's logger. */
  readonly logLevels: readonly LogLevel[];
}

const INSTANCE_ID = /^[A-Za-z0-9._-]{1,200}$/;
const LOG_LEVELS = ['error', 'warn', 'log', 'debug'] as const satisfies readonly LogLevel[];

const MAX_INT = 2_147_483_647;

/** Variables that each restart strategy takes. */
const RESTART_NUMBERS = {
  none: [],
  'fixed-delay': ['RESTART_ATTEMPTS', 'RESTART_DELAY_MS'],
  'failure-rate': ['RESTART_MAX_FAILURES', 'RESTART_FAILURE_INTERVAL_MS', 'RESTART_DELAY_MS'],
  'exponential-delay': ['RESTART_INITIAL_BACKOFF_MS', 'RESTART_MAX_BACKOFF_MS', 'RESTART_RESET_THRESHOLD_MS', 'RESTART_ATTEMPTS'],
} as const;

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
      badRecords: this.#badRecords(),
      restartStrategy: this.#restartStrategy(),
      exitOnFailure: this.#exitOnFailure(),
      logLevels: this.#logLevels(),
    };
  }

  #group(): GroupSettings | 'none' {
    const standbys = this.whole('STANDBYS', 0, 0, 100);
    if (this.oneOf('REPLICAS', ['shared', 'one']) === 'one') {
      if (standbys > 0) throw new SettingError('STANDBYS', String(standbys), '0 where REPLICAS is one: copies are kept by other replicas');
      return 'none';
    }
    // Set to nothing it says the same as none: such a process has no name to come back under.
    const instanceId = this.variables['INSTANCE_ID'] === '' ? 'none' : this.read('INSTANCE_ID');
    if (instanceId !== undefined && !INSTANCE_ID.test(instanceId)) {
      throw new SettingError('INSTANCE_ID', instanceId, '1 to 200 letters, digits, ".", "_" and "-", or none');
    }
    return { instanceId, sessionTimeout: this.whole('SESSION_TIMEOUT_MS', 10_000, 1_000, 1_800_000), standbys };
  }

  #exitOnFailure(): boolean | number {
    const value = this.read('EXIT_ON_FAILURE') ?? 'true';
    if (value === 'true' || value === 'false') return value === 'true';
    const code = /^\d{1,3}$/.test(value) ? Number(value) : 0;
    if (code >= 1 && code <= 255) return code;
    throw new SettingError('EXIT_ON_FAILURE', value, 'true, false, or an exit code from 1 to 255');
  }

  #advertisedUrl(): string | undefined {
    const value = this.read('ADVERTISED_URL');
    if (value === undefined || (/^https?:\/\//.test(value) && URL.canParse(value))) return value;
    throw new SettingError('ADVERTISED_URL', value, 'a URL with http or https, e.g. http://weir-0.weir:8081');
  }

  #badRecords(): BadRecordPolicy {
    const policy = this.#badRecordAction();
    const attempts = this.whole('BAD_RECORD_RETRIES', 0, 0, 1_000);
    if (attempts > 0) return { policy, retries: { attempts, delay: this.whole('BAD_RECORD_RETRY_DELAY_MS', 1_000, 0, 3_600_000) } };
    this.#refuse(['BAD_RECORD_RETRY_DELAY_MS'], 'nothing while BAD_RECORD_RETRIES is 0');
    return policy;
  }

  #badRecordAction(): BadRecordAction {
    const policy = this.oneOf('BAD_RECORDS', ['fail', 'skip', 'deadLetter']);
    if (policy === 'deadLetter') return { deadLetter: this.deadLetterTopic() };
    this.#refuse(['DEAD_LETTER_TOPIC'], `nothing while BAD_RECORDS is ${policy}`);
    return policy;
  }

  /** @throws SettingError if it is not set, or no name of a topic */
  deadLetterTopic(): string {
    if (this.read('DEAD_LETTER_TOPIC') === undefined) throw new SettingError('DEAD_LETTER_TOPIC', undefined, 'the name of the topic that bad records go to');
    return this.topicName('DEAD_LETTER_TOPIC', '');
  }

  /** The numbers of the strategy that is asked for; those of another are refused, for they would mean nothing. */
  #restartStrategy(): RestartStrategySettings | undefined {
    const type = this.read('RESTART_STRATEGY') === undefined ? undefined : this.oneOf('RESTART_STRATEGY', RESTART_STRATEGIES);
    const taken = type === undefined ? [] : RESTART_NUMBERS[type];
    const others = Object.values(RESTART_NUMBERS).flat().filter((name) => !taken.some((one) => one === name));
    this.#refuse(others, `nothing while RESTART_STRATEGY is ${type ?? 'not set'}`);
    const number = (name: string, min = 0): number | undefined => (this.read(name) === undefined ? undefined : this.whole(name, 0, min, MAX_INT));
    switch (type) {
      case undefined:
      case 'none':
        return type === undefined ? undefined : { type };
      case 'fixed-delay':
        return { type, attempts: number('RESTART_ATTEMPTS'), delay: number('RESTART_DELAY_MS') };
      case 'failure-rate':
        return { type, maxFailuresPerInterval: number('RESTART_MAX_FAILURES'), failureRateInterval: number('RESTART_FAILURE_INTERVAL_MS', 1), delay: number('RESTART_DELAY_MS') };
      case 'exponential-delay':
        return {
          type,
          initialBackoff: number('RESTART_INITIAL_BACKOFF_MS', 1),
          maxBackoff: number('RESTART_MAX_BACKOFF_MS', 1),
          resetBackoffThreshold: number('RESTART_RESET_THRESHOLD_MS', 1),
          attemptsBeforeResetBackoff: number('RESTART_ATTEMPTS'),
        };
    }
  }

  /** @throws SettingError if one of these is set */
  #refuse(names: readonly string[], why: string): void {
    for (const name of names) if (this.read(name) !== undefined) throw new SettingError(name, this.read(name), why);
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
