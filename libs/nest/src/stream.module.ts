import { Logger, Module } from '@nestjs/common';
import type { DynamicModule, InjectionToken, Provider } from '@nestjs/common';
import { DiscoveryModule, MetadataScanner } from '@nestjs/core';
import { createJob } from '@weir/core';
import { compileAsyncOptions, compileHttp, compileOptions } from './compile-options.js';
import { nestErrors } from './errors.js';
import { HandlerExplorer } from './handlers/handler-explorer.js';
import { routesUnder } from './http/routes.js';
import { JobExplorer } from './job-explorer.js';
import { JobStatusFeed } from './job-status-feed.js';
import type { CompiledHttp, StreamModuleAsyncOptions, StreamModuleOptions, StreamOptionsFactory } from './options.js';
import { NodeProcessHost } from './process-host.js';
import { StreamRunner } from './stream-runner.js';
import { StreamTransport } from './stream-transport.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER, STREAM_OPTIONS } from './tokens.js';

/** One for the process: its signal listeners must not add up over applications. */
const thisProcess = new NodeProcessHost(process);

/**
 * Weir in a Nest application: finds the providers that carry @StreamJob and runs them with the application. Imported once, in the root
 * module; StreamRunner and StreamTransport can then be injected everywhere.
 */
@Module({})
export class StreamModule {
  /** @throws WeirError `invalid` that names the option, what came and what is allowed */
  static forRoot(options: StreamModuleOptions): DynamicModule {
    const compiled = compileOptions(options);
    return definition({ provide: STREAM_OPTIONS, useValue: compiled }, compiled.http, []);
  }

  /** With options that other providers make. @throws WeirError `invalid`, for the options themselves when the application starts */
  static forRootAsync(options: StreamModuleAsyncOptions): DynamicModule {
    const { useFactory, useClass, useExisting, inject = [], imports = [], http } = options;
    const given = Object.entries({ useFactory, useClass, useExisting }).filter(([, source]) => source !== undefined);
    if (given.length !== 1) throw nestErrors.asyncSourceWrong({ given: given.map(([name]) => name) });
    const routes = compileHttp(http);
    const compile = (made: StreamModuleOptions) => compileAsyncOptions(made, http);

    if (useFactory !== undefined) {
      const make = useFactory as (...dependencies: unknown[]) => StreamModuleOptions | Promise<StreamModuleOptions>;
      const provider = {
        provide: STREAM_OPTIONS,
        inject,
        useFactory: async (...dependencies: unknown[]) => compile(await make(...dependencies)),
      };
      return definition(provider, routes, imports);
    }
    const factory: InjectionToken = (useClass ?? useExisting)!;
    const provider = {
      provide: STREAM_OPTIONS,
      inject: [factory],
      useFactory: async (made: StreamOptionsFactory) => compile(await made.createStreamOptions()),
    };
    return definition(provider, routes, imports, useClass === undefined ? [] : [useClass]);
  }
}

function definition(
  options: Provider,
  http: CompiledHttp | undefined,
  imports: NonNullable<DynamicModule['imports']>,
  more: readonly Provider[] = [],
): DynamicModule {
  return {
    module: StreamModule,
    global: true,
    imports: [DiscoveryModule, ...imports],
    controllers: http === undefined ? [] : routesUnder(http.prefix),
    providers: [
      options,
      ...more,
      { provide: CREATE_JOB, useValue: createJob },
      { provide: PROCESS_HOST, useValue: thisProcess },
      { provide: STREAM_LOGGER, useFactory: () => new Logger('Weir') },
      JobExplorer,
      MetadataScanner,
      HandlerExplorer,
      JobStatusFeed,
      StreamRunner,
      StreamTransport,
    ],
    exports: [StreamRunner, StreamTransport],
  };
}
