import { KeyedFlatMap, NULL, topic } from '@weir/core';
import type { Codec, Collector, JobDefinition, KeyedContext, LogFactory, Stream, StreamBuilder } from '@weir/core';
import { nestErrors } from '../errors.js';
import { isKeyed } from './found-handler.js';
import type { FoundHandler } from './found-handler.js';
import { HandlerCall } from './handler-call.js';
import { RecordTap, RowCursor } from './record-tap.js';

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
  readonly #tap = new RecordTap();

  /** @throws WeirError `invalid` NEST_HANDLERS_DIFFER */
  constructor(handlers: readonly FoundHandler[]) {
    this.#handlers = handlers;
    for (const group of this.#byTopic().values()) mustAgree(group);
  }

  /** What the job must be given as its log. */
  around(log: LogFactory): LogFactory {
    return this.#tap.around(log);
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
      const keys = new RecordKeys(this.#tap, name, key, keyed);
      const { partitioner } = keyed[0]!.options;
      const stream = source.keyBy(key, () => keys.next(), { alreadyPartitioned: { partitioner: partitioner ?? 'auto' } });
      for (const handler of keyed) sinkOf(handler, stream.flatMap(handler.name, () => new KeyedHandler(handler, this.#tap)));
    }
    for (const handler of handlers) if (!isKeyed(handler)) sinkOf(handler, source.flatMap(statelessCalls(handler, this.#tap)));
  }
}

function sinkOf(handler: FoundHandler, results: Stream<unknown, unknown>): void {
  const { to } = handler.options;
  if (to !== undefined) results.sink(`${handler.name} to ${to.topic}`, to);
}

/** One task's calls of a handler with state. */
class KeyedHandler extends KeyedFlatMap<unknown, unknown, unknown> {
  readonly #handler: FoundHandler;
  readonly #tap: RecordTap;
  readonly #cursor: RowCursor;
  #context!: KeyedContext;
  #call!: HandlerCall;

  constructor(handler: FoundHandler, tap: RecordTap) {
    super();
    this.#handler = handler;
    this.#tap = tap;
    this.#cursor = new RowCursor(tap, handler.topic);
  }

  override open(context: KeyedContext): void {
    this.#context = context;
    const { options } = this.#handler;
    // Whatever kinds of state core knows pass through: the descriptor says which it is.
    const states = new Map<object, unknown>((options.state ?? []).map((descriptor) => [descriptor, context.state(descriptor as never)]));
    this.#call = new HandlerCall(this.#handler, this.#tap, { states, keyOf: () => context.currentKey() });
  }

  override flatMap(value: unknown, out: Collector<unknown>): void {
    const row = this.#cursor.next();
    const { topic: name, columns } = this.#tap;
    if (columns.timestamp[row] !== this.#context.timestamp()) {
      const problem = `for a record of time ${this.#context.timestamp()}, not ${columns.timestamp[row]}`;
      throw nestErrors.recordLost({ topic: name, problem });
    }
    this.#call.run(row, value, out);
  }
}

/** The calls of a handler without state, for all tasks: they take turns. */
function statelessCalls(handler: FoundHandler, tap: RecordTap): (value: unknown, out: Collector<unknown>) => void {
  const cursor = new RowCursor(tap, handler.topic);
  const keys = new RecordKeys(tap, handler.topic, handler.options.key, [handler]);
  const call = new HandlerCall(handler, tap, { states: new Map(), keyOf: (row) => keys.at(row) });
  return (value, out) => call.run(cursor.next(), value, out);
}

/** The keys of the records of a topic, decoded. */
class RecordKeys {
  readonly #cursor: RowCursor;

  constructor(
    private readonly tap: RecordTap,
    private readonly topic: string,
    private readonly codec: Codec<unknown>,
    private readonly handlers: readonly FoundHandler[],
  ) {
    this.#cursor = new RowCursor(tap, topic);
  }

  /** The key of the next record, which must have one. @throws WeirError `data` NEST_KEY_MISSING, NEST_KEY_UNDECODABLE */
  next(): unknown {
    const row = this.#cursor.next();
    const key = this.at(row);
    if (key === null) throw nestErrors.keyMissing({ handlers: this.handlers.map(({ name }) => name), ...this.#place(row) });
    return key;
  }

  /** The key of a row; null for none. @throws WeirError `data` NEST_KEY_UNDECODABLE */
  at(row: number): unknown {
    const { buffer, keyStart, keyEnd } = this.tap.columns;
    const start = keyStart[row]!;
    if (start === NULL) return null;
    try {
      return this.codec.decode(buffer, start, keyEnd[row]!);
    } catch (thrown) {
      const problem = thrown instanceof Error ? thrown.message : String(thrown);
      const bytes = buffer.subarray(start, Math.min(keyEnd[row]!, start + SHOWN_BYTES)).toString('hex');
      throw nestErrors.keyUndecodable({ ...this.#place(row), codec: this.codec.id, problem, bytes }, thrown);
    }
  }

  #place(row: number): { readonly topic: string; readonly partition: number; readonly offset: number } {
    return { topic: this.topic, partition: this.tap.partition, offset: this.tap.columns.offset[row]! };
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
