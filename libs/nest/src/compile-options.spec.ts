import { describe, expect, it } from '@jest/globals';
import { silentTelemetry } from '@weir/core';
import type { StateBackendFactory } from '@weir/core';
import { compileAsyncOptions, compileOptions, jobSettings } from './compile-options.js';
import { options } from './fake-jobs.spec-d.js';

const compileLoose = (given: Record<string, unknown>): unknown => compileOptions({ ...options(), ...given });

describe('compiling the options of StreamModule', () => {
  it('completes them with the defaults and freezes the result', () => {
    const compiled = compileOptions(options());
    expect(compiled).toMatchObject({
      settings: { applicationId: 'app' },
      shutdownTimeoutMs: 8000,
      autoStart: true,
      http: { prefix: '', token: undefined },
    });
    expect(compiled.exitCodeOnFailure).toBeUndefined();
    expect(compiled.telemetry).toBe(silentTelemetry);
    expect(Object.isFrozen(compiled) && Object.isFrozen(compiled.settings) && Object.isFrozen(compiled.http)).toBe(true);
  });

  it('leaves what the user wrote as it was', () => {
    const given = options({ checkpointing: { interval: 100 } });
    const before = structuredClone({ checkpointing: given.checkpointing });
    const compiled = compileOptions(given);
    expect(given.checkpointing).toEqual(before.checkpointing);
    expect(compiled.settings.checkpointing).not.toBe(given.checkpointing);
    expect(Object.isFrozen(given.checkpointing)).toBe(false);
  });

  it('hands job settings on, and none of its own options with them', () => {
    const { settings } = compileOptions(options({ parallelism: 3, restartStrategy: { type: 'none' }, autoStart: false }));
    expect(settings).toEqual({ applicationId: 'app', parallelism: 3, restartStrategy: { type: 'none' }, state: {} });
  });

  it('takes the state backend alone or with settings of the state', () => {
    const { state: backend } = options();
    const compiled = compileOptions(options({ state: { backend: backend as StateBackendFactory, cacheEntries: 5 } }));
    expect(compiled.state).toBe(backend);
    expect(compiled.settings.state).toEqual({ cacheEntries: 5 });
  });

  it('takes the exit code of exitOnFailure from true or a number', () => {
    expect(compileOptions(options({ exitOnFailure: true })).exitCodeOnFailure).toBe(1);
    expect(compileOptions(options({ exitOnFailure: 42 })).exitCodeOnFailure).toBe(42);
    expect(compileOptions(options({ exitOnFailure: false })).exitCodeOnFailure).toBeUndefined();
  });

  it('trims slashes off the ends of the prefix, and takes false for no routes', () => {
    expect(compileOptions(options({ http: { prefix: '/a/b/' } })).http).toEqual({ prefix: 'a/b', token: undefined });
    expect(compileOptions(options({ http: false })).http).toBeUndefined();
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['an unknown option', { paralelism: 2 }, /paralelism, which does not exist.*parallelism.*NEST_OPTION_UNKNOWN/],
    ['an unknown http option', { http: { tokn: 'x' } }, /http\.tokn.*prefix, token/],
    ['a log that cannot be opened', { log: {} }, /option log takes a log.*an object without fields came/],
    ['no log', { log: undefined }, /option log takes.*nothing came/],
    ['a state that is a name', { state: 'rocksdb' }, /option state takes.*"rocksdb" came/],
    ['state settings without a backend', { state: { cacheEntries: 3 } }, /option state\.backend.*nothing came/],
    ['a clock without timers', { clock: { wall: () => 0 } }, /option clock takes.*an object with wall came/],
    ['a telemetry that is a function', { telemetry: () => 0 }, /option telemetry takes.*function telemetry came/],
    [
      'a timeout that is no number',
      { shutdownTimeoutMs: 'soon' },
      /shutdownTimeoutMs takes milliseconds from 100 to 600000, and "soon" came/,
    ],
    ['a timeout of 0', { shutdownTimeoutMs: 0 }, /shutdownTimeoutMs.*and 0 came/],
    ['an autoStart that is text', { autoStart: 'false' }, /autoStart takes true or false, and "false" came/],
    ['an exit code of success', { exitOnFailure: 0 }, /exitOnFailure.*1 to 255, and 0 came/],
    ['a prefix with a parameter', { http: { prefix: 'a/:b' } }, /http\.prefix takes a path/],
    ['a job setting out of range', { maxParallelism: 0 }, /maxParallelism/],
    ['a checkpointing setting that does not exist', { checkpointing: { intervall: 5 } }, /checkpointing\.intervall/],
    ['http that is true', { http: true }, /option http takes an object or false, and true came/],
  ])('refuses %s and says what came and what is allowed', (_, given, message) => {
    expect(() => compileLoose(given)).toThrow(message);
  });

  it('refuses a short token without repeating it', () => {
    expect(() => compileOptions(options({ http: { token: 'hunter2' } }))).toThrow(
      /http\.token takes a string of at least 16 characters, and a string of 7 came/,
    );
    expect(() => compileOptions(options({ http: { token: 'hunter2' } }))).not.toThrow(/hunter2/);
  });

  it('takes routes of async options from the definition and the token from either', () => {
    const made = options({ http: { token: 'a-long-enough-token' } });
    expect(compileAsyncOptions(made, { prefix: 'x' }).http).toEqual({ prefix: 'x', token: 'a-long-enough-token' });
    expect(compileAsyncOptions(options(), undefined).http).toEqual({ prefix: '', token: undefined });
    expect(compileAsyncOptions(options(), false).http).toBeUndefined();
  });

  it('refuses routes that come with async options, too late', () => {
    expect(() => compileAsyncOptions(options({ http: { prefix: 'x' } }), undefined)).toThrow(/http\.prefix, but routes are fixed before/);
    expect(() => compileAsyncOptions(options({ http: false }), undefined)).toThrow(/NEST_HTTP_TOO_LATE/);
  });
});

describe('settings of one job', () => {
  it('lie over those of the module, field by field where fields are independent', () => {
    const ofModule = {
      applicationId: 'app',
      parallelism: 2,
      checkpointing: { interval: 500, minPause: 10 },
      restartStrategy: { type: 'fixed-delay' as const, delay: 5 },
    };
    const ofJob = {
      applicationId: 'own',
      parallelism: undefined,
      checkpointing: { interval: 100, minPause: undefined },
      restartStrategy: { type: 'none' as const },
    };
    expect(jobSettings(ofModule, ofJob)).toEqual({
      applicationId: 'own',
      parallelism: 2,
      checkpointing: { interval: 100, minPause: 10 },
      restartStrategy: { type: 'none' },
    });
  });
});
