import 'reflect-metadata';

/**
 * What Nest's decorators leave behind, under Nest's own names. They are repeated here because @nestjs/microservices is optional and must
 * not be imported; handler-explorer.spec.ts holds them against the real decorators.
 */
const PATTERN = 'microservices:pattern';
const HANDLER_TYPE = 'microservices:handler_type';
const TRANSPORT = 'microservices:transport';
const PARAMETERS = '__routeArguments__';
const ENHANCERS = {
  __guards__: '@UseGuards',
  __interceptors__: '@UseInterceptors',
  __pipes__: '@UsePipes',
  __exceptionFilters__: '@UseFilters',
} as const;

const EVENT = 2;

/** What @EventPattern or @MessagePattern says of a method. */
export interface PatternMetadata {
  readonly patterns: readonly unknown[];
  readonly isEvent: boolean;
  /** The transport that the user named, if any. */
  readonly transport: number | symbol | undefined;
}

export function patternMetadata(method: Function): PatternMetadata | undefined {
  const type = Reflect.getMetadata(HANDLER_TYPE, method) as number | undefined;
  if (type === undefined) return undefined;
  return {
    patterns: Reflect.getMetadata(PATTERN, method) as readonly unknown[],
    isEvent: type === EVENT,
    transport: Reflect.getMetadata(TRANSPORT, method) as number | symbol | undefined,
  };
}

/** Enhancers bound by decorators to a class or a method, in words: `@UseGuards(AuthGuard)`. */
export function enhancersOf(target: Function): string[] {
  return Object.entries(ENHANCERS).flatMap(([key, decorator]) => {
    const bound = Reflect.getMetadata(key, target) as readonly unknown[] | undefined;
    return bound === undefined || bound.length === 0 ? [] : [`${decorator}(${bound.map(nameOf).join(', ')})`];
  });
}

/** The name of a class, or of an instance's class. */
export function nameOf(enhancer: unknown): string {
  const type = typeof enhancer === 'function' ? enhancer : (enhancer as object | null | undefined)?.constructor;
  return type === undefined || type.name === '' ? 'one without a name' : type.name;
}

const PAYLOAD = '3';
const CONTEXT = '6';

/** One decorated parameter of a handler. */
export type HandlerParameter =
  | { readonly type: 'payload'; readonly index: number; readonly property: string | undefined }
  | { readonly type: 'context'; readonly index: number }
  | { readonly type: 'unsupported'; readonly index: number; readonly problem: string };

interface ParameterMetadata {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
  readonly schema?: unknown;
}

/** As Nest has it: a handler without decorated parameters gets the payload alone. */
const PAYLOAD_ALONE: readonly HandlerParameter[] = [{ type: 'payload', index: 0, property: undefined }];

/** @param host the class that declares the method, or inherits it */
export function parametersOf(host: Function, method: string): readonly HandlerParameter[] {
  const found = Reflect.getMetadata(PARAMETERS, host, method) as Readonly<Record<string, ParameterMetadata>> | undefined;
  return found === undefined ? PAYLOAD_ALONE : Object.entries(found).map(([key, metadata]) => parameterOf(key.split(':')[0]!, metadata));
}

function parameterOf(type: string, { index, data, pipes = [], schema }: ParameterMetadata): HandlerParameter {
  const unsupported = (problem: string): HandlerParameter => ({ type: 'unsupported', index, problem });
  if (pipes.length > 0) return unsupported(`its parameter ${index} has pipes (${pipes.map(nameOf).join(', ')})`);
  if (schema !== undefined) return unsupported(`its parameter ${index} has a schema`);
  if (type === PAYLOAD) return { type: 'payload', index, property: data as string | undefined };
  if (type === CONTEXT) return { type: 'context', index };
  return unsupported(`its parameter ${index} has a decorator other than @Payload() and @Ctx()`);
}
