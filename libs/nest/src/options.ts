import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Clock, JobSettings, LogFactory, StateBackendFactory, StateSettings, Telemetry } from '@weir/core';

/**
 * Options of StreamModule: the settings that every job starts from, what jobs run on, and how they live in a Nest application.
 * Compiled once, at the edge, to the complete and frozen `CompiledStreamOptions` (compile-options.ts).
 */
export interface StreamModuleOptions extends Omit<JobSettings, 'state'> {
  /** The log that jobs read and write, e.g. `kafka({ brokers })`. */
  readonly log: LogFactory;
  /** Where state lives, `rocksdb({ dir })`, `filesystem({ dir, retained })` or `memory()`; with settings of the state: `{ backend: rocksdb({ dir }), cacheEntries: 200_000 }`. */
  readonly state: StateBackendFactory | StateWithSettings;
  /** Default: the real clock. */
  readonly clock?: Clock | undefined;
  /** Receives every event, beside Nest's logger and OpenTelemetry, which always do. */
  readonly telemetry?: Telemetry | undefined;
  /** Milliseconds that a shutdown gives jobs for their final checkpoint, 100 to 600000. Default 8000. */
  readonly shutdownTimeoutMs?: number | undefined;
  /** Whether jobs start with the application. Default true; false leaves it to StreamTransport. */
  readonly autoStart?: boolean | undefined;
  /**
   * Whether the process ends once a job has FAILED: true (exit code 1), or the exit code, 1 to 255. Other jobs take their final checkpoint
   * first. Default false: the process lives on, `/health/live` answers 503 with the reason, and the exit code is 1 whenever it ends.
   */
  readonly exitOnFailure?: boolean | number | undefined;
  /** The job that runs the handlers of StreamTransport (@StreamHandler). */
  readonly handlers?: StreamHandlersOptions | undefined;
  /**
   * Where others reach this process by HTTP, e.g. `http://weir-0.weir:8081`: what the overview of a job says of this replica. Default: what
   * the application listens on, named by its host where that is every address.
   */
  readonly advertisedUrl?: string | undefined;
  /** HTTP routes, or false for none. Default: under `/`, beyond loopback without the job overview. */
  readonly http?: StreamHttpOptions | false | undefined;
}

export interface StateWithSettings extends StateSettings {
  readonly backend: StateBackendFactory;
}

export interface StreamHandlersOptions {
  /** Name of the job: letters, digits, `.`, `_`, `-`; at most 100. Default `handlers`. */
  readonly name?: string | undefined;
  /** Settings of this job alone, over those of the module. */
  readonly settings?: Partial<JobSettings> | undefined;
}

export interface StreamHttpOptions {
  /** Path before every route, e.g. `streams`: letters, digits, `.`, `_`, `~`, `-`, separated by `/`. Default none. */
  readonly prefix?: string | undefined;
  /** Bearer token that opens the job overview beyond loopback, at least 16 characters. Without one it is open on loopback alone. */
  readonly token?: string | undefined;
}

export interface StreamOptionsFactory {
  createStreamOptions(): StreamModuleOptions | Promise<StreamModuleOptions>;
}

/** Options that are made by other providers. Exactly one of useFactory, useClass and useExisting. */
export interface StreamModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory?: (...dependencies: never[]) => StreamModuleOptions | Promise<StreamModuleOptions>;
  readonly useClass?: Type<StreamOptionsFactory>;
  readonly useExisting?: Type<StreamOptionsFactory>;
  /** Routes are fixed before the options are made, so that these are given here. `http.token` may come with the options. */
  readonly http?: StreamHttpOptions | false;
}

export interface CompiledHttp {
  /** Without slashes at its ends; empty for none. */
  readonly prefix: string;
  readonly token: string | undefined;
}

export interface CompiledHandlers {
  readonly name: string;
  readonly settings: Partial<JobSettings>;
}

export interface CompiledStreamOptions {
  readonly settings: JobSettings;
  readonly log: LogFactory;
  readonly state: StateBackendFactory;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly shutdownTimeoutMs: number;
  readonly autoStart: boolean;
  /** Ends the process when a job has failed; undefined lets it live on. */
  readonly exitCodeOnFailure: number | undefined;
  readonly handlers: CompiledHandlers;
  readonly advertisedUrl: string | undefined;
  /** Undefined when there are no routes. */
  readonly http: CompiledHttp | undefined;
}
