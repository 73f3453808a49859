import { isWeirError } from '@weir/core';
import type { Collector, RecordView } from '@weir/core';
import { nestErrors } from '../errors.js';
import type { FoundHandler } from './found-handler.js';
import type { HandlerParameter } from './nest-metadata.js';
import { StreamContext } from './stream-context.js';
import type { ContextSource } from './stream-context.js';

/**
 * Calls a handler's method with one record after another, and sends on what it returns.
 *
 *   1. the context shows the record
 *   2. the method runs, to its end
 *   3. the context shows no record any more
 *   4. what it returned goes out, one value after another
 */
export class HandlerCall {
  readonly #handler: FoundHandler;
  readonly #source: ContextSource;
  readonly #fill: readonly ((value: unknown) => unknown)[];
  /** Filled anew for each call: a record costs no list. */
  readonly #arguments: unknown[];

  constructor(handler: FoundHandler, how: Pick<ContextSource, 'keyOf' | 'states'>) {
    this.#handler = handler;
    this.#source = { ...how, handler: handler.name, record: undefined };
    const context = new StreamContext(this.#source);
    const { parameters } = handler;
    const count = Math.max(-1, ...parameters.map(({ index }) => index)) + 1;
    this.#fill = Array.from({ length: count }, (_, index) => fillOf(parameters.find((parameter) => parameter.index === index), context));
    this.#arguments = new Array<unknown>(count).fill(undefined);
  }

  /** @throws Error that names the handler, for core to deal with by the operator's policy; WeirError `invalid` NEST_HANDLER_RESULT */
  run(record: RecordView, value: unknown, out: Collector<unknown>): void {
    const result = this.#result(record, value);
    if (result === undefined) return;
    this.#mustBeSendable(result, record);
    if (!Array.isArray(result)) out.collect(result);
    else for (const each of result) out.collect(each);
  }

  #result(record: RecordView, value: unknown): unknown {
    const args = this.#arguments;
    for (let i = 0; i < args.length; i++) args[i] = this.#fill[i]!(value);
    this.#source.record = record;
    try {
      return Reflect.apply(this.#handler.method, this.#handler.instance, args);
    } catch (thrown) {
      if (isWeirError(thrown)) throw thrown;
      const problem = thrown instanceof Error ? thrown.message : String(thrown);
      throw new Error(`handler ${this.#handler.name} threw: ${problem}`, { cause: thrown });
    } finally {
      this.#source.record = undefined;
    }
  }

  #mustBeSendable(result: unknown, record: RecordView): void {
    if (this.#handler.options.to === undefined) {
      throw this.#refuse(record, 'a value, and it names no topic for it', 'Name one by `to` of @StreamHandler, or return nothing.');
    }
    if (typeof result !== 'object' || result === null) return;
    if (isFunction(result, 'then')) throw this.#refuse(record, 'a promise', ASYNC_ADVICE);
    if (isFunction(result, 'subscribe')) throw this.#refuse(record, 'an Observable', ASYNC_ADVICE);
  }

  #refuse(record: RecordView, problem: string, advice: string): Error {
    return nestErrors.handlerResult({ handler: this.#handler.name, ...placeOf(record), problem, advice });
  }
}

/** Where a record lies, for messages. */
export const placeOf = ({ topic, partition, offset }: RecordView): { readonly topic: string; readonly partition: number; readonly offset: number } => ({
  topic,
  partition,
  offset,
});

export const ASYNC_ADVICE =
  'Handlers run synchronously within the transaction of their task. Keep what waits for I/O on a transport that awaits its handlers, ' +
  'or behind the topic that this one writes.';

function fillOf(parameter: HandlerParameter | undefined, context: StreamContext): (value: unknown) => unknown {
  if (parameter?.type === 'context') return () => context;
  if (parameter?.type !== 'payload') return () => undefined;
  const { property } = parameter;
  return property === undefined ? (value) => value : (value) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[property];
}

const isFunction = (value: object, name: string): boolean => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function';
