import type { ApplicationConfig } from '@nestjs/core';
import { describeValue } from '../describe-value.js';
import { nestErrors } from '../errors.js';
import { ASYNC_ADVICE } from './handler-call.js';
import { enhancersOf, nameOf } from './nest-metadata.js';
import type { HandlerParameter } from './nest-metadata.js';
import type { AnyStreamHandlerOptions } from './stream-handler.decorator.js';

/**
 * What keeps a handler from running in a task. A task calls handlers synchronously, record after record; Nest's guards, pipes,
 * interceptors and exception filters run as promises around each call, so that none of them can be had there. Each is refused when the
 * application starts, by name: what would be skipped in silence might be a check that somebody relies on.
 */
export interface HandlerFacts {
  /** `Class.method`. */
  readonly place: string;
  readonly type: Function;
  readonly method: unknown;
  /** The method as the class has it, where its decorators left their metadata. */
  readonly declared: Function;
  readonly patterns: readonly unknown[];
  readonly scope: 'singleton' | 'transient' | 'request-scoped';
  readonly parameters: readonly HandlerParameter[];
  readonly returnType: unknown;
  readonly options: AnyStreamHandlerOptions;
}

const ENHANCER_ADVICE =
  'Remove it, and do its work in the handler, where the record and its context are at hand; ' +
  'what needs promises stays with a transport that awaits.';
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/;
const ASYNC_KINDS = ['AsyncFunction', 'AsyncGeneratorFunction', 'GeneratorFunction'];
const ASYNC_TYPES = ['Promise', 'Observable'];

/** @throws WeirError `invalid` NEST_HANDLER_UNSUPPORTED for the first thing that cannot be */
export function mustRunInTask(facts: HandlerFacts): void {
  const found = problemOf(facts);
  if (found !== undefined) throw nestErrors.handlerUnsupported({ handler: facts.place, problem: found[0], advice: found[1] });
}

type Problem = readonly [problem: string, advice: string];

const problemOf = (facts: HandlerFacts): Problem | undefined =>
  patternProblem(facts) ??
  scopeProblem(facts) ??
  enhancerProblem(facts) ??
  asyncProblem(facts) ??
  parameterProblem(facts) ??
  effectProblem(facts);

function patternProblem({ patterns }: HandlerFacts): Problem | undefined {
  const [pattern, ...others] = patterns;
  if (others.length > 0) return [`it has ${patterns.length} patterns`, 'Give each topic a method of its own.'];
  if (typeof pattern === 'string' && TOPIC_NAME.test(pattern)) return undefined;
  return [`its pattern is ${describeValue(pattern)}, which is no topic`, 'Give @EventPattern the name of one topic.'];
}

function scopeProblem({ scope }: HandlerFacts): Problem | undefined {
  if (scope === 'singleton') return undefined;
  const advice = 'Remove the scope, or the request-scoped provider from its dependencies; take the record from @Ctx().';
  return [`its controller is ${scope}`, advice];
}

function enhancerProblem({ type, declared }: HandlerFacts): Problem | undefined {
  const [ofMethod] = enhancersOf(declared);
  if (ofMethod !== undefined) return [`${ofMethod} is bound to it`, ENHANCER_ADVICE];
  const [ofClass] = enhancersOf(type);
  return ofClass === undefined ? undefined : [`${ofClass} is bound to its controller`, ENHANCER_ADVICE];
}

function asyncProblem({ method, returnType }: HandlerFacts): Problem | undefined {
  if (typeof method !== 'function') return [`it is ${describeValue(method)} on the instance, not a method`, 'Make it a method.'];
  const kind = nameOf(method.constructor);
  if (ASYNC_KINDS.includes(kind)) return [`it is an ${kind}`, ASYNC_ADVICE];
  const returned = typeof returnType === 'function' ? returnType.name : '';
  return ASYNC_TYPES.includes(returned) ? [`it returns a type of ${returned}`, ASYNC_ADVICE] : undefined;
}

function parameterProblem({ parameters }: HandlerFacts): Problem | undefined {
  const bad = parameters.find((parameter) => parameter.type === 'unsupported');
  return bad === undefined ? undefined : [bad.problem, 'Take @Payload() and @Ctx() as they are; decode and check values in the codec.'];
}

function effectProblem({ options: { state = [], to } }: HandlerFacts): Problem | undefined {
  if (to !== undefined || state.length > 0) return undefined;
  return [
    'it has neither state nor a topic for its results, so that nothing of what it does would be kept exactly once',
    'List its state or name a topic by `to` of @StreamHandler; a handler that only acts on the outside stays with a transport that awaits.',
  ];
}

/** Enhancers that an application binds to all handlers, in words. */
export function globalEnhancersOf(config: ApplicationConfig | undefined): string[] {
  if (config === undefined) return [];
  const named = (kind: string, bound: readonly unknown[]): string[] =>
    bound.length === 0 ? [] : [`${kind} (${bound.map(nameOf).join(', ')})`];
  const scoped = (wrappers: readonly { readonly metatype: unknown }[]): unknown[] => wrappers.map(({ metatype }) => metatype);
  return [
    ...named('guards', [...config.getGlobalGuards(), ...scoped(config.getGlobalRequestGuards())]),
    ...named('interceptors', [...config.getGlobalInterceptors(), ...scoped(config.getGlobalRequestInterceptors())]),
    ...named('pipes', [...config.getGlobalPipes(), ...scoped(config.getGlobalRequestPipes())]),
    ...named('exception filters', [...config.getGlobalFilters(), ...scoped(config.getGlobalRequestFilters())]),
    ...named('pre-request hooks', config.getGlobalPreRequestHooks()),
  ];
}

/** @throws WeirError `invalid` NEST_HANDLER_UNSUPPORTED where Nest would put global enhancers around handlers */
export function mustHaveNoGlobals(handler: string, globals: readonly string[]): void {
  const [first] = globals;
  if (first === undefined) return;
  const problem = `the application has global ${first}, which Nest puts around every handler`;
  throw nestErrors.handlerUnsupported({ handler, problem, advice: ENHANCER_ADVICE });
}
