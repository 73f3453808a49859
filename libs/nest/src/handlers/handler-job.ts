import { KeyedFlatMap, topic } from '@weir/core';
import type { Codec, Collector, JobDefinition, KeyedContext, OperatorOptions, RecordView, Stream, StreamBuilder } from '@weir/core';
import { nestErrors } from '../errors.js';
import { isKeyed } from './found-handler.js';
import type { FoundHandler } from './found-handler.js';
import { HandlerCall, placeOf } from './handler-call.js';

/**
 * HandlerJob: the one job that runs all handlers of an application, built on core's streams. Per topic, in the order in which Nest has
 * its controllers:
 *
 *   source --> keyBy(record key, already partitioned) --> flatMap "Class.method" --> sink     handlers with state
 *          \-> flatMap --> sink                                                               handlers without
 *
 * Handlers with state on one topic share its keyBy, and with it the cache of keys and the look-up of a key. Topics are parts of their own,
 * with tasks and changelogs of their own. Those are numbered in the order of the topics, so a topic that comes before others moves
 * them; core refuses a changelog that holds another part's state.
 */
export class HandlerJob implements JobDefinition {
  readonly #handlers: readonly FoundHandler[];

  /** @throws WeirError `invalid` NEST_HANDLERS_DIFFER */
  constructor(handlers: readonly FoundHandler[]) {
    this.#handlers = handlers;
    for (const group of this.#byTopic().values()) mustAgree(group);
  }

  define(streams: StreamBuilder): void {
    for (const [name, handlers] of this.#byTopic()) this.#defineTopic(streams, name, handlers);
  }

  #byTopic(): ReadonlyMap<string, readonly FoundHandler[]> {
    const groups = new Map<string, FoundHandler[]>();
    for (const handler of this.#handlers) groups.set(handler.topic, [...(groups.get(handler.topic) ?? []), handler]);
    return groups;
  }

  #defineTopic(streams: StreamBuilder, name: string, handlers: readonly FoundHandler[]): void {
    const { key, value, start } = handlers[0]!.options;
    const source = streams.source(name, topic(name, { key, value }), { start: start ?? 'earliest' });
    const keyed = handlers.filter(isKeyed);
    if (keyed.length > 0) {
      const { partitioner } = keyed[0]!.options;
      const keyOfRecord = (_value: unknown, record: RecordView): unknown => {
        const found = keyOf(record, key);
        if (found === null) throw nestErrors.keyMissing({ handlers: keyed.map((handler) => handler.name), ...placeOf(record) });
        return found;
      };
      const stream = source.keyBy(key, keyOfRecord, { alreadyPartitioned: { partitioner: partitioner ?? 'auto' } });
      for (const handler of keyed) sinkOf(handler, stream.flatMap(handler.name, () => new KeyedHandler(handler), badRecordsOf(handler)));
    }
    for (const handler of handlers) if (!isKeyed(handler)) sinkOf(handler, source.flatMap(statelessCalls(handler), badRecordsOf(handler)));
  }
}

function sinkOf(handler: FoundHandler, results: Stream<unknown, unknown>): void {
  const { to } = handler.options;
  if (to !== undefined) results.sink(`${handler.name} to ${to.topic}`, to);
}

function badRecordsOf({ options: { onBadRecord } }: FoundHandler): OperatorOptions {
  return onBadRecord === undefined ? {} : { onBadRecord };
}

/** One task's calls of a handler with state. */
class KeyedHandler extends KeyedFlatMap<unknown, unknown, unknown> {
  readonly #handler: FoundHandler;
  #record!: RecordView;
  #call!: HandlerCall;

  constructor(handler: FoundHandler) {
    super();
    this.#handler = handler;
  }

  override open(context: KeyedContext): void {
    this.#record = context.record;
    const { options } = this.#handler;
    // Whatever kinds of state core knows pass through: the descriptor says which it is.
    const states = new Map<object, unknown>((options.state ?? []).map((descriptor) => [descriptor, context.state(descriptor as never)]));
    this.#call = new HandlerCall(this.#handler, { states, keyOf: () => context.currentKey() });
  }

  override flatMap(value: unknown, out: Collector<unknown>): void {
    this.#call.run(this.#record, value, out);
  }
}

/** The calls of a handler without state, for all tasks: they take turns. */
function statelessCalls(handler: FoundHandler): (value: unknown, out: Collector<unknown>, record: RecordView) => void {
  const call = new HandlerCall(handler, { states: new Map(), keyOf: (record) => keyOf(record, handler.options.key) });
  return (value, out, record) => call.run(record, value, out);
}

/** The key of a record; null for none. @throws WeirError `data` NEST_KEY_UNDECODABLE */
function keyOf(record: RecordView, codec: Codec<unknown>): unknown {
  try {
    return record.keyAs(codec);
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.message : String(thrown);
    const bytes = record.keyBytes()!.subarray(0, SHOWN_BYTES).toString('hex');
    throw nestErrors.keyUndecodable({ ...placeOf(record), codec: codec.id, problem, bytes }, thrown);
  }
}

const SHOWN_BYTES = 64;

/** Handlers on one topic read it once, so they must say the same of it. */
function mustAgree(handlers: readonly FoundHandler[]): void {
  const [first, ...others] = handlers;
  for (const other of others) mustBeSame(first!, other, ['key', 'value', 'start']);
  const [keyed, ...alsoKeyed] = handlers.filter(isKeyed);
  for (const other of alsoKeyed) mustBeSame(keyed!, other, ['partitioner']);
}

const DEFAULTS = { key: undefined, value: undefined, start: 'earliest', partitioner: 'auto' } as const;

function mustBeSame(one: FoundHandler, other: FoundHandler, names: readonly (keyof typeof DEFAULTS)[]): void {
  for (const option of names) {
    const [its, others] = [one, other].map(({ options }) => options[option] ?? DEFAULTS[option]);
    if (its === others || (typeof its === 'object' && typeof others === 'object' && formatOf(its) === formatOf(others))) continue;
    throw nestErrors.handlersDiffer({ topic: one.topic, option, handlers: [one.name, other.name], values: [shown(its), shown(others)] });
  }
}

/** Id and version of a codec name its format. */
const formatOf = ({ id, version }: Codec<unknown>): string => `${id} version ${version}`;

function shown(value: unknown): string {
  if (typeof value === 'function') return `the function ${value.name || 'without a name'}`;
  return typeof value === 'object' ? formatOf(value as Codec<unknown>) : `${value as string}`;
}
