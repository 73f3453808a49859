import type { KeyedContext, RecordHeader, RecordView } from '@weir/core';
import { nestErrors } from '../errors.js';

/** Which record a context shows: the caller of the handler sets it around each call. */
export interface ContextSource {
  /** Undefined between calls. */
  record: RecordView | undefined;
  /** Names the handler in messages. */
  readonly handler: string;
  readonly keyOf: (record: RecordView) => unknown;
  /** Handles of the states that the handler declared, by their descriptors. */
  readonly states: ReadonlyMap<object, unknown>;
}

/**
 * The record that a handler is called with, by `@Ctx()`. One object for all calls: it shows the record of the call that runs, and none
 * when the call has returned, so take out what is to be kept.
 */
export class StreamContext<K = unknown> {
  /**
   * The state of a descriptor that `@StreamHandler` lists, for the key of this record.
   * @throws WeirError `invalid` NEST_STATE_UNDECLARED
   */
  readonly state: KeyedContext<K>['state'];
  readonly #source: ContextSource;

  constructor(source: ContextSource) {
    this.#source = source;
    this.state = ((descriptor: object) => this.#stateOf(descriptor)) as KeyedContext<K>['state'];
  }

  get topic(): string {
    return this.#record('topic').topic;
  }

  get partition(): number {
    return this.#record('partition').partition;
  }

  get offset(): number {
    return this.#record('offset').offset;
  }

  /** Milliseconds since the epoch, as the producer or the broker set them; -1 for none. */
  get timestamp(): number {
    return this.#record('timestamp').timestamp;
  }

  /** The key of the record; null where it has none, which a handler with state never sees. */
  get key(): K {
    return this.#source.keyOf(this.#record('key')) as K;
  }

  /** All headers, in their order; values are views of bytes that are never overwritten. Decoded anew at each call. */
  get headers(): readonly RecordHeader[] {
    return this.#record('headers').headers();
  }

  /** The value of the last header with this name; undefined if there is none. */
  header(name: string): Buffer | null | undefined {
    return this.headers.findLast(({ key }) => key === name)?.value;
  }

  #stateOf(descriptor: object): unknown {
    const { handler, states } = this.#source;
    const found = states.get(descriptor);
    if (found !== undefined) return found;
    const name = String((descriptor as { readonly name?: unknown }).name);
    throw nestErrors.stateUndeclared({ handler, state: name, declared: namesOf(states.keys()) });
  }

  #record(asked: string): RecordView {
    const { record, handler } = this.#source;
    if (record === undefined) throw nestErrors.contextOutsideCall({ handler, asked });
    return record;
  }
}

function namesOf(descriptors: Iterable<object>): string {
  const names = [...descriptors].map((descriptor) => (descriptor as { readonly name: string }).name);
  return names.length === 0 ? 'none' : names.join(', ');
}
