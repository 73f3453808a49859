import { clockOf, compileSettings, silentTelemetry } from '@weir/core';
import type { Clock, JobSettings, StateBackendFactory, StateSettings } from '@weir/core';
import { describeValue } from './describe-value.js';
import { nestErrors } from './errors.js';
import type {
  CompiledHandlers,
  CompiledHttp,
  CompiledStreamOptions,
  StateWithSettings,
  StreamHandlersOptions,
  StreamHttpOptions,
  StreamModuleOptions,
} from './options.js';

/**
 * Turns what a user wrote into a complete, frozen type, once; nothing behind it asks again whether an option is there. Names and the
 * values of the module's own options are checked here; the values of job settings by core, here and again with a job's own over them.
 */
const SETTING_NAMES = Object.keys({
  applicationId: true,
  parallelism: true,
  maxParallelism: true,
  checkpointing: true,
  restartStrategy: true,
  state: true,
  internalTopics: true,
  badRecords: true,
  group: true,
  replicationFactor: true,
} satisfies Record<keyof JobSettings, true>) as readonly (keyof JobSettings)[];

const OWN_NAMES = Object.keys({
  log: true,
  state: true,
  clock: true,
  telemetry: true,
  shutdownTimeoutMs: true,
  autoStart: true,
  exitOnFailure: true,
  handlers: true,
  advertisedUrl: true,
  http: true,
} satisfies Record<Exclude<keyof StreamModuleOptions, Exclude<keyof JobSettings, 'state'>>, true>);

const OPTION_NAMES = [...new Set<string>([...SETTING_NAMES, ...OWN_NAMES])];

const DEFAULT_SHUTDOWN_TIMEOUT_MS = 8000;
const MIN_TOKEN_LENGTH = 16;
const DEFAULT_HANDLERS_JOB = 'handlers';
const JOB_NAME = /^[A-Za-z0-9._-]{1,100}$/;
const PREFIX = /^[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*$/;
const CLOCK_METHODS: readonly (keyof Clock)[] = ['wall', 'monotonic', 'after', 'random', 'newId'];

/** @throws WeirError `invalid` that names the option, what came and what is allowed */
export function compileOptions(options: StreamModuleOptions): CompiledStreamOptions {
  mustBeObject('StreamModule', options);
  mustBeKnown('', options, OPTION_NAMES);
  mustHaveMethods('log', options.log, ['open'], 'a log, e.g. kafka({ brokers })');
  const { backend, settings: stateSettings } = compileState(options.state);
  if (options.clock !== undefined) mustHaveMethods('clock', options.clock, CLOCK_METHODS, `an object with ${CLOCK_METHODS.join(', ')}`);
  if (options.telemetry !== undefined) mustHaveMethods('telemetry', options.telemetry, ['emit'], 'an object with a method emit');
  return Object.freeze<CompiledStreamOptions>({
    settings: settingsOf(options, stateSettings),
    log: options.log,
    state: backend,
    clock: options.clock ?? clockOf(globalThis),
    telemetry: options.telemetry ?? silentTelemetry,
    shutdownTimeoutMs: integer('shutdownTimeoutMs', options.shutdownTimeoutMs ?? DEFAULT_SHUTDOWN_TIMEOUT_MS, 100, 600_000, 'milliseconds'),
    autoStart: trueOrFalse('autoStart', options.autoStart ?? true),
    exitCodeOnFailure: compileExitCode(options.exitOnFailure),
    handlers: compileHandlers(options.handlers),
    advertisedUrl: compileUrl(options.advertisedUrl),
    http: compileHttp(options.http),
  });
}

/** The options of `forRootAsync`: routes come from the module's definition, a token from there or from the options made. */
export function compileAsyncOptions(
  options: StreamModuleOptions,
  atDefinition: StreamHttpOptions | false | undefined,
): CompiledStreamOptions {
  mustBeObject('StreamModule', options);
  if (options.http === false) throw nestErrors.asyncHttpTooLate({ option: 'http: false' });
  if (options.http?.prefix !== undefined) throw nestErrors.asyncHttpTooLate({ option: 'http.prefix' });
  const http = atDefinition === false ? false : { ...atDefinition, ...definedOf(options.http ?? {}) };
  return compileOptions({ ...options, http });
}

/** @throws WeirError `invalid` */
export function compileHttp(http: StreamHttpOptions | false | undefined): CompiledHttp | undefined {
  if (http === false) return undefined;
  const given = http ?? {};
  if (typeof given !== 'object')
    throw nestErrors.optionWrong({ option: 'http', expected: 'an object or false', actual: describeValue(given) });
  mustBeKnown('http.', given, ['prefix', 'token']);
  const { prefix = '', token } = given;
  const path = typeof prefix === 'string' ? prefix.replace(/^\/+|\/+$/g, '') : prefix;
  if (typeof path !== 'string' || (path !== '' && !PREFIX.test(path))) {
    throw nestErrors.optionWrong({
      option: 'http.prefix',
      expected: 'a path of letters, digits, ".", "_", "~", "-" and "/"',
      actual: describeValue(prefix),
    });
  }
  if (token !== undefined && (typeof token !== 'string' || token.length < MIN_TOKEN_LENGTH)) {
    // The token itself must not reach a log.
    const actual = typeof token === 'string' ? `a string of ${token.length}` : typeof token;
    throw nestErrors.optionWrong({ option: 'http.token', expected: `a string of at least ${MIN_TOKEN_LENGTH} characters`, actual });
  }
  return Object.freeze({ prefix: path, token });
}

/** Settings of one job: the module's, with the job's own over them; `checkpointing` and `state` field by field, others as a whole. */
export function jobSettings(ofModule: JobSettings, ofJob: Partial<JobSettings>): JobSettings {
  const own = definedOf(ofJob);
  const merged: Record<string, unknown> = { ...ofModule, ...own };
  for (const name of ['checkpointing', 'state'] as const) {
    if (own[name] !== undefined) merged[name] = { ...ofModule[name], ...definedOf(own[name]) };
  }
  return merged as unknown as JobSettings;
}

/** @throws WeirError `invalid` for what is no name of a job */
export function mustBeJobName(option: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && JOB_NAME.test(name)) return;
  throw nestErrors.optionWrong({ option, expected: 'letters, digits, ".", "_", "-", at most 100', actual: describeValue(name) });
}

/** @throws WeirError `invalid` for a name that is no setting of a job */
export function mustBeSettingNames(path: string, settings: unknown): void {
  mustBeObject(path, settings);
  mustBeKnown(`${path}.`, settings, SETTING_NAMES);
}

function settingsOf(options: StreamModuleOptions, state: StateSettings): JobSettings {
  const settings: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const value: unknown = name === 'state' ? state : options[name];
    if (value !== undefined) settings[name] = isObject(value) ? Object.freeze({ ...value }) : value;
  }
  const frozen = Object.freeze(settings) as unknown as JobSettings;
  compileSettings(frozen);
  return frozen;
}

function compileState(state: StateBackendFactory | StateWithSettings): { backend: StateBackendFactory; settings: StateSettings } {
  const expected = 'a state backend, e.g. rocksdb({ dir }), or { backend, cacheEntries, cacheBytes }';
  if (!isObject(state)) throw nestErrors.optionWrong({ option: 'state', expected, actual: describeValue(state) });
  if ('open' in state) {
    mustHaveMethods('state', state, ['open'], expected);
    return { backend: state, settings: {} };
  }
  const { backend, ...settings } = state;
  mustHaveMethods('state.backend', backend, ['open'], expected);
  return { backend, settings };
}

function compileHandlers(given: StreamHandlersOptions = {}): CompiledHandlers {
  mustBeObject('handlers', given);
  mustBeKnown('handlers.', given, ['name', 'settings']);
  const { name = DEFAULT_HANDLERS_JOB, settings = {} } = given;
  mustBeJobName('handlers.name', name);
  mustBeSettingNames('handlers.settings', settings);
  return Object.freeze({ name, settings: Object.freeze({ ...settings }) });
}

function compileExitCode(value: boolean | number | undefined): number | undefined {
  if (value === undefined || value === false) return undefined;
  if (value === true) return 1;
  return integer('exitOnFailure', value, 1, 255, 'true, false or an exit code');
}

function compileUrl(value: string | undefined): string | undefined {
  if (value === undefined || (typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value))) return value;
  throw nestErrors.optionWrong({ option: 'advertisedUrl', expected: 'a URL with http or https', actual: describeValue(value) });
}

function integer(option: string, value: unknown, min: number, max: number, unit: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw nestErrors.optionWrong({ option, expected: `${unit} from ${min} to ${max}`, actual: describeValue(value) });
}

function trueOrFalse(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw nestErrors.optionWrong({ option, expected: 'true or false', actual: describeValue(value) });
}

function mustHaveMethods(option: string, value: unknown, methods: readonly string[], expected: string): void {
  const fits = isObject(value) && methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
  if (!fits) throw nestErrors.optionWrong({ option, expected, actual: describeValue(value) });
}

function mustBeObject(option: string, value: unknown): asserts value is object {
  if (!isObject(value)) throw nestErrors.optionWrong({ option, expected: 'an object', actual: describeValue(value) });
}

function mustBeKnown(path: string, value: object, allowed: readonly string[]): void {
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) throw nestErrors.optionUnknown({ option: `${path}${name}`, allowed });
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Without the fields that are present but undefined: they must not override a value. */
function definedOf<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<T>;
}
