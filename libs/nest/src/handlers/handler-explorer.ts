import { Injectable } from '@nestjs/common';
import { DiscoveryService, HttpAdapterHost, MetadataScanner, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { ApplicationConfig } from '@nestjs/core';
import { nestErrors } from '../errors.js';
import type { FoundHandler } from './found-handler.js';
import { globalEnhancersOf, mustHaveNoGlobals, mustRunInTask } from './handler-checks.js';
import { nameOf, parametersOf, patternMetadata } from './nest-metadata.js';
import type { PatternMetadata } from './nest-metadata.js';
import { decoratedHandlers, STREAM_TRANSPORT, streamHandlerOptions } from './stream-handler.decorator.js';
import type { AnyStreamHandlerOptions } from './stream-handler.decorator.js';

export interface HandlerExploration {
  /** To be run. */
  readonly handlers: readonly FoundHandler[];
  /** What the log should say: handlers that do not run, and why. */
  readonly warnings: readonly string[];
}

type Wrapper = ReturnType<DiscoveryService['getControllers']>[number];

/** A transport beside this one. */
interface OtherTransport {
  readonly name: string;
  /** Whether it has no id: Nest offers it every handler, also those that name another transport. */
  readonly takesAll: boolean;
}

/** A method of a controller that some transport could take. */
interface Candidate {
  /** `Class.method`. */
  readonly place: string;
  readonly key: string;
  readonly wrapper: Wrapper;
  readonly type: Function;
  /** As the class has it: where decorators leave their metadata. */
  readonly declared: Function;
  readonly pattern: PatternMetadata | undefined;
  readonly options: AnyStreamHandlerOptions | undefined;
}

/**
 * Finds the handlers of an application among its controllers, once StreamTransport is connected, and refuses those that cannot run.
 *
 * Nest hands a transport each handler wrapped in promises and without its name (`addHandler`), so that the explorer looks at the same
 * controllers itself. Which handlers are this transport's, it decides as Nest does: those that name it, and those that name none. Of the
 * latter it refuses what would run twice, or not at all:
 *
 * | decorators                    | other transports beside it             | it is alone                            |
 * | ----------------------------- | -------------------------------------- | -------------------------------------- |
 * | @EventPattern, @StreamHandler | refused: the others would call it, too | runs                                   |
 * | @EventPattern                 | left to the others                     | refused: nobody would run it           |
 * | @MessagePattern               | left to the others                     | refused: nobody would answer           |
 */
@Injectable()
export class HandlerExplorer {
  readonly #discovery: DiscoveryService;
  readonly #modules: ModulesContainer;
  readonly #scanner: MetadataScanner;
  readonly #http: HttpAdapterHost;
  /** Handlers that were found when the transport was not connected: they do not run. */
  #leftOut: readonly string[] = [];

  constructor(discovery: DiscoveryService, modules: ModulesContainer, scanner: MetadataScanner, http: HttpAdapterHost) {
    this.#discovery = discovery;
    this.#modules = modules;
    this.#scanner = scanner;
    this.#http = http;
  }

  /** @throws WeirError `invalid` for a handler that cannot run, by name */
  explore(): HandlerExploration {
    const candidates = this.#discovery.getControllers().flatMap((wrapper) => this.#candidatesOf(wrapper));
    const warnings = forgottenAmong(candidates);
    const mine = candidates.filter(({ options }) => options !== undefined);
    const transports = this.#transports();
    if (!transports.connected) {
      this.#leftOut = mine.map(({ place }) => place);
      if (mine.length > 0) warnings.push(`StreamTransport is not connected, so its handlers do not run: ${this.#leftOut.join(', ')}`);
      return { handlers: [], warnings };
    }
    for (const candidate of candidates) mustHaveOneTaker(candidate, transports.others);
    const handlers = mine.map(foundHandler);
    if (handlers.length > 0) warnings.push(...this.#globalsBeside(mine));
    return { handlers, warnings };
  }

  /** Told by the transport of each handler that Nest offers it. @throws WeirError `invalid` NEST_TRANSPORT_TOO_LATE */
  offered(): void {
    if (this.#leftOut.length > 0) throw nestErrors.transportTooLate({ handlers: this.#leftOut });
  }

  #candidatesOf(wrapper: Wrapper): Candidate[] {
    const type = wrapper.metatype as Function | null;
    if (type === null || typeof type !== 'function') return [];
    const prototype = type.prototype as Readonly<Record<string, Function>>;
    return this.#scanner.getAllMethodNames(prototype).flatMap((key): Candidate[] => {
      const declared = prototype[key]!;
      const [pattern, options] = [patternMetadata(declared), streamHandlerOptions(declared)];
      if (pattern === undefined && options === undefined) return [];
      return [{ place: `${type.name}.${key}`, key, wrapper, type, declared, pattern, options }];
    });
  }

  #transports(): { readonly connected: boolean; readonly others: readonly OtherTransport[] } {
    const targets: { readonly transportId?: unknown }[] = [];
    // Nest keeps them in a subject that replays: whoever subscribes gets all at once.
    this.#modules
      .getRpcTargetRegistry<{ readonly transportId?: unknown }>()
      .subscribe((target) => targets.push(target))
      .unsubscribe();
    const others = targets
      .filter(({ transportId }) => transportId !== STREAM_TRANSPORT)
      .map((target) => ({ name: nameOf(target), takesAll: target.transportId === undefined }));
    return { connected: others.length < targets.length, others };
  }

  /**
   * Global enhancers. Around the handlers of a microservice Nest puts them, so they are refused. Around those of a microservice within an
   * application with routes it does not, unless that was connected with `inheritAppConfig`, which nothing outside can see: so it is said.
   */
  #globalsBeside(mine: readonly Candidate[]): string[] {
    const globals = globalEnhancersOf(this.#applicationConfig(mine[0]!));
    if (globals.length === 0) return [];
    const hasRoutes = (this.#http.httpAdapter as unknown) !== undefined && (this.#http.httpAdapter as unknown) !== null;
    if (!hasRoutes) mustHaveNoGlobals(mine[0]!.place, globals);
    return [`Global ${globals.join(', ')} do not run around the handlers of StreamTransport, with or without inheritAppConfig`];
  }

  /** Nest has no public way to its global enhancers; a spec holds this one against it. */
  #applicationConfig({ wrapper }: Candidate): ApplicationConfig | undefined {
    const moduleRef = wrapper.host!.providers.get(ModuleRef)!.instance as object;
    return (moduleRef as { readonly container?: { readonly applicationConfig?: ApplicationConfig } }).container?.applicationConfig;
  }
}

function mustHaveOneTaker({ place, pattern, options }: Candidate, others: readonly OtherTransport[]): void {
  if (pattern === undefined) throw nestErrors.handlerWithoutPattern({ handler: place });
  const { transport, isEvent } = pattern;
  if (transport !== undefined && transport !== STREAM_TRANSPORT) {
    if (options === undefined) return;
    const advice = 'Write @EventPattern(topic, STREAM_TRANSPORT), or remove @StreamHandler.';
    throw nestErrors.handlerUnsupported({ handler: place, problem: `its pattern names another transport (${String(transport)})`, advice });
  }
  const isLeftToOthers = options === undefined && transport === undefined && others.length > 0;
  if (isLeftToOthers) return;
  if (!isEvent) {
    throw nestErrors.handlerUnanswered({
      handler: place,
      decorator: '@MessagePattern',
      problem: 'a task writes to topics and answers nobody',
      advice:
        'Name the transport that answers, e.g. @MessagePattern(pattern, Transport.TCP), or make it @EventPattern with @StreamHandler.',
    });
  }
  if (options === undefined) {
    throw nestErrors.handlerUnanswered({
      handler: place,
      decorator: '@EventPattern',
      problem: 'without @StreamHandler it does not know how to read the topic, and nobody else would run it',
      advice: 'Add @StreamHandler({ key, value, ... }), or name the transport that runs it.',
    });
  }
  const also = others.filter(({ takesAll }) => takesAll || transport === undefined).map(({ name }) => name);
  if (also.length > 0) throw nestErrors.handlerOnSeveralTransports({ handler: place, transports: also });
}

function foundHandler({ place, key, wrapper, type, declared, pattern, options }: Candidate): FoundHandler {
  const instance = wrapper.instance as Readonly<Record<string, unknown>>;
  const patterns = pattern!.patterns;
  const parameters = parametersOf(type, key);
  const scope = wrapper.isTransient ? 'transient' : wrapper.isDependencyTreeStatic() ? 'singleton' : 'request-scoped';
  const method = scope === 'singleton' ? instance[key] : declared;
  const returnType: unknown = Reflect.getMetadata('design:returntype', type.prototype as object, key);
  mustRunInTask({ place, type, method, declared, patterns, scope, parameters, returnType, options: options! });
  return {
    name: options!.name ?? place,
    topic: patterns[0] as string,
    options: options!,
    instance,
    method: method as FoundHandler['method'],
    parameters,
  };
}

/** Decorated methods that no controller of the application has. */
function forgottenAmong(candidates: readonly Candidate[]): string[] {
  const known = new Set(candidates.map(({ declared }) => declared));
  return [...decoratedHandlers()]
    .filter(([method]) => !known.has(method))
    .map(([, place]) => `${place} carries @StreamHandler, but no module lists its class among the controllers: it does not run`);
}
