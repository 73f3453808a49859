import 'reflect-metadata';
import { BAD_RECORD_POLICIES, isBadRecordPolicy } from '@weir/core';
import type { BadRecordPolicy, Codec, KeyByOptions, StartPosition, Topic } from '@weir/core';
import { describeValue } from '../describe-value.js';
import { nestErrors } from '../errors.js';

/**
 * Names Weir's transport where an application has several, so that no other one takes the handler as well:
 * `@EventPattern('sensor-readings', STREAM_TRANSPORT)`.
 */
export const STREAM_TRANSPORT: unique symbol = Symbol('weir');

/** A descriptor of keyed state, of whatever kind: what core's KeyedContext takes. */
export interface AnyStateDescriptor {
  readonly kind: string;
  readonly name: string;
}

export interface StreamHandlerOptions<K, V, R> {
  /** Of the records' keys. */
  readonly key: Codec<K>;
  /** Of the records' values: what `@Payload()` gets. A null value (a tombstone) comes as null, whatever the codec. */
  readonly value: Codec<V>;
  /**
   * Keyed state that the handler uses, by `context.state(descriptor)`. With it the topic must be partitioned by the records' keys, and
   * each record needs one; without it the handler may read any topic.
   */
  readonly state?: readonly AnyStateDescriptor[] | undefined;
  /** What put the records where they are, for a handler with state; each key is checked once. Default `auto`. */
  readonly partitioner?: NonNullable<KeyByOptions['alreadyPartitioned']>['partitioner'] | undefined;
  /** Where results go, each with key, timestamp and headers of the record that it came from. */
  readonly to?: Topic<NoInfer<K>, R> | undefined;
  /** Where the first start begins to read. Default earliest. */
  readonly start?: StartPosition | undefined;
  /** Names the operator, by which state is found again. Default `Class.method`: give one before you rename either. */
  readonly name?: string | undefined;
  /** What becomes of a record at which the handler throws, and how often it is tried again before. Default: the setting `badRecords`. */
  readonly onBadRecord?: BadRecordPolicy | undefined;
}

/** What a handler may return: a result, several in a list (a result that is a list itself goes into one), or undefined for none. */
export type HandlerResult<R> = R | readonly R[] | undefined | void;

/** Options as they are kept, without their types. */
export type AnyStreamHandlerOptions = StreamHandlerOptions<unknown, unknown, unknown>;

const OPTION_NAMES = Object.keys({
  key: true,
  value: true,
  state: true,
  partitioner: true,
  to: true,
  start: true,
  name: true,
  onBadRecord: true,
} satisfies Record<keyof AnyStreamHandlerOptions, true>);

const METADATA = Symbol('weir: stream handler');
const decorated = new Map<Function, string>();

type HandlerDecorator<R> = <M extends (...args: never[]) => HandlerResult<R>>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Makes a method that carries Nest's @EventPattern a handler that a task runs, exactly once as far as its state and results go:
 *
 *   @EventPattern('sensor-readings')
 *   @StreamHandler({ key: utf8, value: sensorReadingCsv, state: [last], to: alerts })
 *   onReading(@Payload() reading: SensorReading, @Ctx() context: StreamContext<string>): TemperatureAlert | undefined { ... }
 *
 * The pattern is the topic. The method runs synchronously, between two reads of the log.
 * @throws WeirError `invalid` when the class is declared with an option that does not exist or cannot be
 */
export function StreamHandler<K, V, R = never>(options: StreamHandlerOptions<K, V, R>): HandlerDecorator<R> {
  return (target, method, descriptor) => {
    const handler = `${target.constructor.name}.${String(method)}`;
    mustBeOptions(handler, options);
    const { value } = descriptor;
    if (typeof value !== 'function') {
      const option = `@StreamHandler of ${handler}`;
      throw nestErrors.optionWrong({ option, expected: 'a method to stand on', actual: describeValue(value) });
    }
    Reflect.defineMetadata(METADATA, Object.freeze({ ...options }), value);
    decorated.set(value, handler);
  };
}

export const streamHandlerOptions = (method: Function): AnyStreamHandlerOptions | undefined =>
  Reflect.getOwnMetadata(METADATA, method) as AnyStreamHandlerOptions | undefined;

/** Every decorated method that this process has loaded, by `Class.method`: to find the forgotten ones. */
export const decoratedHandlers = (): ReadonlyMap<Function, string> => decorated;

function mustBeOptions(handler: string, options: unknown): void {
  const fail = (option: string, expected: string, actual: unknown): never => {
    throw nestErrors.optionWrong({ option: `${option} of @StreamHandler on ${handler}`, expected, actual: describeValue(actual) });
  };
  if (typeof options !== 'object' || options === null) return fail('options', 'an object', options);
  for (const name of Object.keys(options)) if (!OPTION_NAMES.includes(name)) fail('options', `only ${OPTION_NAMES.join(', ')}`, name);
  const { key, value, state, partitioner, to, start, name, onBadRecord } = options as Record<keyof AnyStreamHandlerOptions, unknown>;
  if (!isCodec(key)) fail('key', 'a codec, e.g. utf8', key);
  if (!isCodec(value)) fail('value', 'a codec, e.g. json<T>()', value);
  if (state !== undefined && !(Array.isArray(state) && state.every(isDescriptor))) fail('state', 'a list of state descriptors', state);
  if (partitioner !== undefined && typeof partitioner !== 'function' && !PARTITIONERS.includes(partitioner)) {
    fail('partitioner', `${PARTITIONERS.join(', ')} or a function`, partitioner);
  }
  if (to !== undefined && !isTopic(to)) fail('to', 'what topic(name, { key, value }) makes', to);
  if (start !== undefined && start !== 'earliest' && start !== 'latest') fail('start', 'earliest or latest', start);
  if (name !== undefined && (typeof name !== 'string' || name === '')) fail('name', 'a text that is not empty', name);
  if (onBadRecord !== undefined && !isBadRecordPolicy(onBadRecord)) fail('onBadRecord', BAD_RECORD_POLICIES, onBadRecord);
}

const PARTITIONERS: readonly unknown[] = ['auto', 'murmur2', 'crc32'];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isCodec = (value: unknown): boolean =>
  isObject(value) && typeof value['encode'] === 'function' && typeof value['decode'] === 'function';
const isDescriptor = (value: unknown): boolean =>
  isObject(value) && typeof value['name'] === 'string' && typeof value['kind'] === 'string';
const isTopic = (value: unknown): boolean =>
  isObject(value) && typeof value['topic'] === 'string' && isCodec(value['key']) && isCodec(value['value']);
