import { errors } from '../errors/errors.js';
import { BAD_RECORD_POLICIES, type BadRecordPolicy, isBadRecordPolicy } from '../topology/bad-records.js';
import { MAX_KEY_GROUPS } from '../model/key-group.js';
import { CHECKPOINT_RETENTIONS, CHECKPOINTING_MODES, type CheckpointingMode, type CheckpointRetention, type GroupSettings, type JobSettings, RESTART_STRATEGIES, type RestartStrategySettings } from './settings.js';

/** JobSettings, complete, checked and frozen: what everything behind the edge reads. Times in milliseconds. */
export interface CompiledSettings {
  readonly applicationId: string;
  /** Undefined: chosen for each sub-topology, see `defaultParallelism`. */
  readonly parallelism: number | undefined;
  readonly maxParallelism: number;
  readonly checkpointing: {
    readonly enabled: boolean;
    readonly interval: number;
    readonly mode: CheckpointingMode;
    readonly timeout: number;
    readonly minPause: number;
    readonly tolerableFailedCheckpoints: number;
    readonly externalizedCheckpointRetention: CheckpointRetention;
    readonly transactionTimeout: number;
  };
  readonly restartStrategy: CompiledRestartStrategy;
  readonly state: { readonly cacheEntries: number; readonly cacheBytes: number };
  readonly internalTopics: { readonly maxMessageBytes: number };
  readonly badRecords: BadRecordPolicy;
  /** Undefined: a single replica, which takes part in no group. */
  readonly group: CompiledGroup | undefined;
  readonly replicationFactor: number;
}

export interface CompiledGroup {
  /** Undefined: the one that is kept beside the state. `none`: a dynamic member. */
  readonly instanceId: string | undefined;
  readonly sessionTimeout: number;
  readonly heartbeatInterval: number;
  readonly rebalanceTimeout: number;
  readonly handoverTimeout: number;
  readonly standbys: number;
}

export type CompiledRestartStrategy =
  | { readonly type: 'none' }
  | { readonly type: 'fixed-delay'; readonly attempts: number; readonly delay: number }
  | { readonly type: 'failure-rate'; readonly maxFailuresPerInterval: number; readonly failureRateInterval: number; readonly delay: number }
  | {
      readonly type: 'exponential-delay';
      readonly initialBackoff: number;
      readonly maxBackoff: number;
      readonly backoffMultiplier: number;
      readonly jitterFactor: number;
      readonly resetBackoffThreshold: number;
      readonly attemptsBeforeResetBackoff: number;
    };

const INSTANCE_ID = /^[A-Za-z0-9._-]{1,200}$/;
const APPLICATION_ID = /^[A-Za-z0-9._-]{1,100}$/;
const DAY = 86_400_000;
const KIB = 1024;
const MIB = 1024 * KIB;

/** @throws WeirError `invalid` that names the setting, what came and what is allowed */
export function compileSettings(settings: JobSettings): CompiledSettings {
  if (!isGroup(settings)) throw errors.settingInvalid({ setting: 'of the job', value: settings, allowed: 'an object' });
  refuseUnknown('', settings, ['applicationId', 'parallelism', 'maxParallelism', 'checkpointing', 'restartStrategy', 'state', 'internalTopics', 'badRecords', 'group', 'replicationFactor']);
  const { applicationId, checkpointing = {}, state = {}, internalTopics = {} } = settings;
  if (typeof applicationId !== 'string' || !APPLICATION_ID.test(applicationId) || applicationId === '.' || applicationId === '..') {
    throw errors.settingInvalid({ setting: 'applicationId', value: applicationId, allowed: '1 to 100 letters, digits, ".", "_" and "-", and not "." or ".."' });
  }
  refuseUnknown('state.', state, ['cacheEntries', 'cacheBytes']);
  refuseUnknown('internalTopics.', internalTopics, ['maxMessageBytes']);
  const maxParallelism = whole('maxParallelism', settings.maxParallelism, 128, 1, MAX_KEY_GROUPS);
  const parallelism = settings.parallelism === undefined ? undefined : whole('parallelism', settings.parallelism, 0, 1, MAX_KEY_GROUPS);
  if (parallelism !== undefined) refuseAbove('parallelism', parallelism, 'maxParallelism', maxParallelism);
  return deepFreeze({
    applicationId,
    parallelism,
    maxParallelism,
    checkpointing: compileCheckpointing(checkpointing),
    restartStrategy: compileRestartStrategy(settings.restartStrategy === undefined ? { type: 'exponential-delay' } : settings.restartStrategy),
    state: {
      cacheEntries: whole('state.cacheEntries', state.cacheEntries, 100_000, 1, 100_000_000),
      cacheBytes: whole('state.cacheBytes', state.cacheBytes, 256 * MIB, MIB, MIB * MIB),
    },
    internalTopics: { maxMessageBytes: whole('internalTopics.maxMessageBytes', internalTopics.maxMessageBytes, 8 * MIB, 64 * KIB, 1024 * MIB) },
    badRecords: compileBadRecords(settings.badRecords),
    group: settings.group === 'none' ? undefined : compileGroup(settings.group === undefined ? {} : settings.group),
    replicationFactor: replicationFactorOf(settings.replicationFactor),
  });
}

function replicationFactorOf(given: unknown): number {
  if (given === 0) throw errors.settingInvalid({ setting: 'replicationFactor', value: given, allowed: '-1 for the default of the log, or a whole number from 1 to 32767' });
  return whole('replicationFactor', given, -1, -1, 32_767);
}

function compileBadRecords(given: unknown): BadRecordPolicy {
  if (given === undefined) return 'fail';
  if (!isBadRecordPolicy(given)) throw errors.settingInvalid({ setting: 'badRecords', value: given, allowed: BAD_RECORD_POLICIES });
  return structuredClone(given);
}

function compileGroup(given: GroupSettings): CompiledGroup {
  if (!isGroup(given)) throw errors.settingInvalid({ setting: 'group', value: given, allowed: 'an object, or \'none\' for a process that shares with nobody' });
  refuseUnknown('group.', given, ['instanceId', 'sessionTimeout', 'heartbeatInterval', 'rebalanceTimeout', 'handoverTimeout', 'standbys']);
  const { instanceId } = given;
  if (instanceId !== undefined && (typeof instanceId !== 'string' || !INSTANCE_ID.test(instanceId))) {
    throw errors.settingInvalid({ setting: 'group.instanceId', value: instanceId, allowed: '1 to 200 letters, digits, ".", "_" and "-"' });
  }
  const sessionTimeout = whole('group.sessionTimeout', given.sessionTimeout, 10_000, 1_000, 1_800_000);
  return {
    instanceId,
    sessionTimeout,
    heartbeatInterval: Math.min(whole('group.heartbeatInterval', given.heartbeatInterval, 300, 50, 600_000), Math.floor(sessionTimeout / 3)),
    rebalanceTimeout: whole('group.rebalanceTimeout', given.rebalanceTimeout, 30_000, 1_000, 1_800_000),
    handoverTimeout: whole('group.handoverTimeout', given.handoverTimeout, 15_000, 1_000, 600_000),
    standbys: whole('group.standbys', given.standbys, 0, 0, 100),
  };
}

function compileCheckpointing(given: NonNullable<JobSettings['checkpointing']>): CompiledSettings['checkpointing'] {
  refuseUnknown('checkpointing.', given, [
    'enabled', 'interval', 'mode', 'timeout', 'minPause', 'tolerableFailedCheckpoints', 'externalizedCheckpointRetention', 'maxConcurrentCheckpoints', 'transactionTimeout',
  ]);
  refuseConcurrent(given.maxConcurrentCheckpoints);
  const mode = oneOf('checkpointing.mode', given.mode === undefined ? 'EXACTLY_ONCE' : given.mode, CHECKPOINTING_MODES);
  const retention = given.externalizedCheckpointRetention === undefined ? 'RETAIN_ON_CANCELLATION' : given.externalizedCheckpointRetention;
  return {
    enabled: flag('checkpointing.enabled', given.enabled, true),
    interval: whole('checkpointing.interval', given.interval, 500, 10, 600_000),
    mode,
    timeout: whole('checkpointing.timeout', given.timeout, 600_000, 10, DAY),
    minPause: whole('checkpointing.minPause', given.minPause, 0, 0, DAY),
    tolerableFailedCheckpoints: whole('checkpointing.tolerableFailedCheckpoints', given.tolerableFailedCheckpoints, 0, 0, MAX_INT),
    externalizedCheckpointRetention: oneOf('checkpointing.externalizedCheckpointRetention', retention, CHECKPOINT_RETENTIONS),
    transactionTimeout: whole('checkpointing.transactionTimeout', given.transactionTimeout, 60_000, 1_000, 900_000),
  };
}

/** R7. */
function refuseConcurrent(value: unknown): void {
  if (value === undefined || value === 1) return;
  const allowed = '1, for between its barrier and the end of the round a task commits nothing, so no second checkpoint could begin';
  throw errors.settingInvalid({ setting: 'checkpointing.maxConcurrentCheckpoints', value, allowed });
}

function compileRestartStrategy(given: RestartStrategySettings): CompiledRestartStrategy {
  if (!isGroup(given)) throw errors.settingInvalid({ setting: 'restartStrategy', value: given, allowed: 'an object' });
  oneOf('restartStrategy.type', given.type, RESTART_STRATEGIES);
  const at = (name: string): string => `restartStrategy.${name}`;
  switch (given.type) {
    case 'none':
      refuseUnknown('restartStrategy.', given, ['type']);
      return { type: 'none' };
    case 'fixed-delay':
      refuseUnknown('restartStrategy.', given, ['type', 'attempts', 'delay']);
      return { type: 'fixed-delay', attempts: whole(at('attempts'), given.attempts, 1, 0, MAX_INT), delay: whole(at('delay'), given.delay, 1_000, 0, DAY) };
    case 'failure-rate':
      refuseUnknown('restartStrategy.', given, ['type', 'maxFailuresPerInterval', 'failureRateInterval', 'delay']);
      return {
        type: 'failure-rate',
        maxFailuresPerInterval: whole(at('maxFailuresPerInterval'), given.maxFailuresPerInterval, 1, 0, 1_000),
        failureRateInterval: whole(at('failureRateInterval'), given.failureRateInterval, 60_000, 1, DAY),
        delay: whole(at('delay'), given.delay, 1_000, 0, DAY),
      };
    case 'exponential-delay': {
      refuseUnknown('restartStrategy.', given, [
        'type', 'initialBackoff', 'maxBackoff', 'backoffMultiplier', 'jitterFactor', 'resetBackoffThreshold', 'attemptsBeforeResetBackoff',
      ]);
      const maxBackoff = whole(at('maxBackoff'), given.maxBackoff, 60_000, 1, DAY);
      const initialBackoff = whole(at('initialBackoff'), given.initialBackoff, Math.min(1_000, maxBackoff), 1, DAY);
      refuseAbove(at('initialBackoff'), initialBackoff, at('maxBackoff'), maxBackoff);
      return {
        type: 'exponential-delay',
        initialBackoff,
        maxBackoff,
        backoffMultiplier: real(at('backoffMultiplier'), given.backoffMultiplier, 1.5, 1, 100),
        jitterFactor: real(at('jitterFactor'), given.jitterFactor, 0.1, 0, 1),
        resetBackoffThreshold: whole(at('resetBackoffThreshold'), given.resetBackoffThreshold, 3_600_000, 1, 30 * DAY),
        attemptsBeforeResetBackoff: whole(at('attemptsBeforeResetBackoff'), given.attemptsBeforeResetBackoff, MAX_INT, 0, MAX_INT),
      };
    }
  }
}

const MAX_INT = 2_147_483_647;

/** @throws WeirError `invalid` SETTING_INVALID unless `value` is a whole number within the bounds; `fallback` where it is undefined */
function whole(setting: string, value: unknown, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw errors.settingInvalid({ setting, value, allowed: `a whole number from ${min} to ${max}` });
  }
  return value as number;
}

function real(setting: string, value: unknown, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= min && value <= max)) throw errors.settingInvalid({ setting, value, allowed: `a number from ${min} to ${max}` });
  return value;
}

function flag(setting: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw errors.settingInvalid({ setting, value, allowed: 'true or false' });
  return value;
}

function oneOf<T extends string>(setting: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T)) throw errors.settingInvalid({ setting, value, allowed: allowed.join(', ') });
  return value as T;
}

function refuseAbove(setting: string, value: number, bound: string, max: number): void {
  if (value > max) throw errors.settingInvalid({ setting, value, allowed: `at most ${bound}, which is ${max}` });
}

const isGroup = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws WeirError `invalid` SETTING_UNKNOWN; SETTING_INVALID where `given` is no group of settings */
function refuseUnknown(prefix: string, given: object, allowed: readonly string[]): void {
  if (!isGroup(given)) throw errors.settingInvalid({ setting: prefix.slice(0, -1), value: given, allowed: 'an object' });
  const unknown = Object.keys(given).find((name) => !allowed.includes(name));
  if (unknown !== undefined) throw errors.settingUnknown({ setting: `${prefix}${unknown}`, allowed });
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner as object);
  return Object.freeze(value);
}

/**
 * Tasks of a sub-topology unless the user says otherwise. A commit costs the same whatever it holds, so more partitions must not mean
 * more transactions; four tasks leave room for four replicas. See decisions/0003.
 */
export const defaultParallelism = (partitions: number): number => Math.min(partitions, 4);
