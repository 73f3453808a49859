import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { compileSettings, type CompiledSettings, defaultParallelism } from './compile-settings.js';
import type { JobSettings, RestartStrategySettings } from './settings.js';

const DAY = 86_400_000;
const MAX_INT = 2_147_483_647;

/** As a program without types would call it. */
const compile = (settings: unknown): CompiledSettings => compileSettings({ applicationId: 'app', ...(settings as object) });
const strategy = (given: unknown): CompiledSettings['restartStrategy'] => compile({ restartStrategy: given }).restartStrategy;
/** Settings with one value at a path, e.g. `checkpointing.interval`. */
const withValue = (path: string, value: unknown): object => path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;
const valueAt = (settings: CompiledSettings, path: string): unknown => path.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], settings);

describe('settings that are left out', () => {
  it('have these defaults', () => {
    expect(compileSettings({ applicationId: 'app' })).toEqual({
      applicationId: 'app',
      parallelism: undefined,
      maxParallelism: 128,
      checkpointing: { enabled: true, interval: 500, mode: 'EXACTLY_ONCE', timeout: 600_000, minPause: 0, tolerableFailedCheckpoints: 0, externalizedCheckpointRetention: 'RETAIN_ON_CANCELLATION', transactionTimeout: 60_000 },
      restartStrategy: {
        type: 'exponential-delay',
        initialBackoff: 1_000,
        maxBackoff: 60_000,
        backoffMultiplier: 1.5,
        jitterFactor: 0.1,
        resetBackoffThreshold: 3_600_000,
        attemptsBeforeResetBackoff: MAX_INT,
      },
      state: { cacheEntries: 100_000, cacheBytes: 268_435_456 },
      internalTopics: { maxMessageBytes: 8_388_608 },
      badRecords: 'fail',
      group: { instanceId: undefined, sessionTimeout: 10_000, heartbeatInterval: 300, rebalanceTimeout: 30_000, handoverTimeout: 15_000, standbys: 0 },
      replicationFactor: -1,
    });
  });

  it('have them also where they are undefined, in every group', () => {
    const all = { parallelism: undefined, maxParallelism: undefined, checkpointing: undefined, restartStrategy: undefined, state: undefined, internalTopics: undefined, badRecords: undefined, group: undefined, replicationFactor: undefined };
    expect(compile(all)).toEqual(compileSettings({ applicationId: 'app' }));
    const inner = { checkpointing: { enabled: undefined, interval: undefined, mode: undefined, timeout: undefined, minPause: undefined, tolerableFailedCheckpoints: undefined, externalizedCheckpointRetention: undefined, maxConcurrentCheckpoints: undefined, transactionTimeout: undefined }, state: { cacheEntries: undefined, cacheBytes: undefined }, internalTopics: { maxMessageBytes: undefined }, group: { instanceId: undefined, sessionTimeout: undefined, heartbeatInterval: undefined, rebalanceTimeout: undefined, handoverTimeout: undefined, standbys: undefined } };
    expect(compile(inner)).toEqual(compileSettings({ applicationId: 'app' }));
  });

  it('share tasks unless told not to, and send three signs of life a session at the least', () => {
    expect(compile({ group: 'none' }).group).toBeUndefined();
    expect(compile({ group: { sessionTimeout: 600_000, heartbeatInterval: 300_000 } }).group).toMatchObject({ heartbeatInterval: 200_000 });
    expect(compile({ group: { instanceId: 'none' } }).group).toMatchObject({ instanceId: 'none' });
    const thrown = thrownBy(() => compile({ group: 'one' }));
    expect([thrown.code, thrown.message]).toEqual(['SETTING_INVALID', expect.stringContaining('\'none\'')]);
  });

  it.each<readonly [RestartStrategySettings, object]>([
    [{ type: 'none' }, { type: 'none' }],
    [{ type: 'fixed-delay' }, { type: 'fixed-delay', attempts: 1, delay: 1_000 }],
    [{ type: 'failure-rate' }, { type: 'failure-rate', maxFailuresPerInterval: 1, failureRateInterval: 60_000, delay: 1_000 }],
  ])('of restart strategy %j have these', (given, compiled) => {
    expect(strategy(given)).toEqual(compiled);
  });
});

describe('compiled settings', () => {
  it("are frozen through and through, and the user's are left as they were", () => {
    const given = { applicationId: 'app', checkpointing: { interval: 100 }, state: {} };
    const compiled = compileSettings(given);
    for (const part of [compiled, compiled.checkpointing, compiled.restartStrategy, compiled.state]) expect(Object.isFrozen(part)).toBe(true);
    expect([given, Object.isFrozen(given.checkpointing)]).toEqual([{ applicationId: 'app', checkpointing: { interval: 100 }, state: {} }, false]);
  });
});

describe('a number', () => {
  it.each([
    ['parallelism', 1, 128],
    ['maxParallelism', 1, 32_768],
    ['checkpointing.interval', 10, 600_000],
    ['checkpointing.timeout', 10, DAY],
    ['checkpointing.minPause', 0, DAY],
    ['checkpointing.tolerableFailedCheckpoints', 0, MAX_INT],
    ['checkpointing.transactionTimeout', 1_000, 900_000],
    ['state.cacheEntries', 1, 100_000_000],
    ['state.cacheBytes', 1_048_576, 1_099_511_627_776],
    ['internalTopics.maxMessageBytes', 65_536, 1_073_741_824],
    ['group.standbys', 0, 100],
    ['replicationFactor', -1, 32_767],
  ])('%s is taken from %i to %i, and refused beyond, with the bounds', (path, min, max) => {
    for (const value of [min, max]) expect(valueAt(compile(withValue(path, value)), path)).toBe(value);
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Number.POSITIVE_INFINITY, String(min), null, [], true, 1n]) {
      const thrown = thrownBy(() => compile(withValue(path, value)));
      expect([thrown.code, thrown.kind]).toEqual(['SETTING_INVALID', 'invalid']);
      expect(thrown.message).toContain(`Setting ${path} is `);
    }
  });

  it.each([
    ['fixed-delay', 'attempts', 0, MAX_INT],
    ['fixed-delay', 'delay', 0, DAY],
    ['failure-rate', 'maxFailuresPerInterval', 0, 1_000],
    ['failure-rate', 'failureRateInterval', 1, DAY],
    ['failure-rate', 'delay', 0, DAY],
    ['exponential-delay', 'initialBackoff', 1, 60_000],
    ['exponential-delay', 'maxBackoff', 1, DAY],
    ['exponential-delay', 'backoffMultiplier', 1, 100],
    ['exponential-delay', 'jitterFactor', 0, 1],
    ['exponential-delay', 'resetBackoffThreshold', 1, 30 * DAY],
    ['exponential-delay', 'attemptsBeforeResetBackoff', 0, MAX_INT],
  ])('of strategy %s, %s, is taken from %i to %i, and refused beyond', (type, name, min, max) => {
    for (const value of [min, max]) expect(strategy({ type, [name]: value })).toMatchObject({ [name]: value });
    for (const value of [min - 1, max + 1, Number.NaN, String(min), null]) {
      expect(thrownBy(() => strategy({ type, [name]: value })).message).toContain(`Setting restartStrategy.${name} is `);
    }
  });

  it('of replicas is not 0', () => {
    expect(thrownBy(() => compile({ replicationFactor: 0 })).message).toContain('is 0; allowed: -1 for the default of the log, or a whole number from 1 to 32767.');
  });

  it('says what came and what is allowed', () => {
    expect(thrownBy(() => compile({ checkpointing: { interval: '500' } })).message).toBe(
      'Setting checkpointing.interval is "500"; allowed: a whole number from 10 to 600000. Correct the setting and start again. [SETTING_INVALID]',
    );
    expect(thrownBy(() => strategy({ type: 'exponential-delay', jitterFactor: 2 })).message).toContain('is 2; allowed: a number from 0 to 1.');
  });

  it('that may be broken is taken broken, and others are not', () => {
    expect(strategy({ type: 'exponential-delay', backoffMultiplier: 1.25, jitterFactor: 0.5 })).toMatchObject({ backoffMultiplier: 1.25, jitterFactor: 0.5 });
    expect(thrownBy(() => strategy({ type: 'exponential-delay', initialBackoff: 1.5 })).code).toBe('SETTING_INVALID');
  });
});

describe('checkpointing', () => {
  it('is on unless it is switched off, by false alone', () => {
    const retention = (value: unknown): unknown => compile({ checkpointing: { externalizedCheckpointRetention: value } }).checkpointing.externalizedCheckpointRetention;
    expect(retention('DELETE_ON_CANCELLATION')).toBe('DELETE_ON_CANCELLATION');
    for (const value of ['NO_EXTERNALIZED_CHECKPOINTS', 'delete', true, null]) {
      expect(thrownBy(() => retention(value)).message).toMatch(/checkpointing\.externalizedCheckpointRetention.*RETAIN_ON_CANCELLATION.*DELETE_ON_CANCELLATION/);
    }
    expect(compile({ checkpointing: { enabled: false } }).checkpointing.enabled).toBe(false);
    for (const value of [0, 'false', null]) expect(thrownBy(() => compile({ checkpointing: { enabled: value } })).message).toContain('allowed: true or false.');
  });
});

describe('concurrent checkpoints', () => {
  it('are one at a time: more are refused, and none, with the reason (R7)', () => {
    expect(compile({ checkpointing: { maxConcurrentCheckpoints: 1 } })).toEqual(compile({}));
    for (const value of [2, 0, '1', null, Number.NaN]) {
      const { code, message } = thrownBy(() => compile({ checkpointing: { maxConcurrentCheckpoints: value } }));
      expect([code, message.includes('between its barrier and the end of the round a task commits nothing')]).toEqual(['SETTING_INVALID', true]);
    }
  });
});

describe('settings that must fit each other', () => {
  it('are parallelism and maxParallelism', () => {
    expect(compile({ parallelism: 8, maxParallelism: 8 }).parallelism).toBe(8);
    const thrown = thrownBy(() => compile({ parallelism: 9, maxParallelism: 8 }));
    expect(thrown.message).toContain('Setting parallelism is 9; allowed: at most maxParallelism, which is 8.');
  });

  it('are the first and the highest backoff', () => {
    expect(strategy({ type: 'exponential-delay', initialBackoff: 50, maxBackoff: 50 })).toMatchObject({ initialBackoff: 50 });
    const thrown = thrownBy(() => strategy({ type: 'exponential-delay', initialBackoff: 51, maxBackoff: 50 }));
    expect(thrown.message).toContain('Setting restartStrategy.initialBackoff is 51; allowed: at most restartStrategy.maxBackoff, which is 50.');
  });
});

describe('the application id', () => {
  it.each(['a', 'A.b_c-9', 'x'.repeat(100), '...'])('may be %j', (applicationId) => {
    expect(compile({ applicationId }).applicationId).toBe(applicationId);
  });

  it.each(['', '.', '..', 'a b', 'a/b', 'ü', 'x'.repeat(101), 'a\n', undefined, null, 5])('may not be %p', (applicationId) => {
    const thrown = thrownBy(() => compile({ applicationId }));
    expect([thrown.code, thrown.kind]).toEqual(['SETTING_INVALID', 'invalid']);
    expect(thrown.message).toContain('allowed: 1 to 100 letters, digits, ".", "_" and "-", and not "." or ".."');
  });
});

describe('a choice', () => {
  it.each(['EXACTLY_ONCE', 'AT_LEAST_ONCE'])('of a mode may be %s', (mode) => {
    expect(compile({ checkpointing: { mode } }).checkpointing.mode).toBe(mode);
  });

  it.each(['exactly_once', '', null, 1])('of no mode at all is refused with those there are: %p', (mode) => {
    expect(thrownBy(() => compile({ checkpointing: { mode } })).message).toContain('allowed: EXACTLY_ONCE, AT_LEAST_ONCE.');
  });

  it.each(['fixedDelay', undefined, null])('of no restart strategy is refused with those there are: %p', (type) => {
    expect(thrownBy(() => strategy({ type })).message).toContain('allowed: none, fixed-delay, failure-rate, exponential-delay.');
  });
});

describe('what is no group of settings', () => {
  it.each(['checkpointing', 'restartStrategy', 'state'])('is refused where %s is expected', (group) => {
    for (const value of [null, 5, 'text', true, []]) {
      const thrown = thrownBy(() => compile({ [group]: value }));
      expect([thrown.code, thrown.message.includes(`Setting ${group} is `), thrown.message.includes('allowed: an object')]).toEqual(['SETTING_INVALID', true, true]);
    }
  });

  it.each([undefined, null, 'app', 5])('is refused for the whole: %p', (value) => {
    expect(thrownBy(() => compileSettings(value as unknown as JobSettings)).code).toBe('SETTING_INVALID');
  });
});

describe('a name that does not exist', () => {
  it.each([
    [{ intervall: 1 }, 'intervall'],
    [{ checkpointing: { intervall: 1 } }, 'checkpointing.intervall'],
    [{ state: { cache: 1 } }, 'state.cache'],
    [{ restartStrategy: { type: 'none', delay: 1 } }, 'restartStrategy.delay'],
    [{ restartStrategy: { type: 'fixed-delay', maxBackoff: 1 } }, 'restartStrategy.maxBackoff'],
    [{ restartStrategy: { type: 'failure-rate', attempts: 1 } }, 'restartStrategy.attempts'],
    [{ restartStrategy: { type: 'exponential-delay', delay: 1 } }, 'restartStrategy.delay'],
  ])('is refused, with those that do: %j', (settings, name) => {
    const thrown = thrownBy(() => compile(settings));
    expect([thrown.code, thrown.kind]).toEqual(['SETTING_UNKNOWN', 'invalid']);
    expect(thrown.message).toMatch(new RegExp(`^Setting ${name.replace('.', '\\.')} does not exist\\. Use one of .+\\.`));
  });
});

describe('the parallelism of a sub-topology that nobody chose', () => {
  it.each([
    [1, 1],
    [3, 3],
    [4, 4],
    [5, 4],
    [1_000, 4],
  ])('with %i partitions is %i', (partitions, tasks) => {
    expect(defaultParallelism(partitions)).toBe(tasks);
  });
});
