import { decodeHeaders } from '@weir/core';
import type { KeyedContext, RecordHeader } from '@weir/core';
import { nestErrors } from '../errors.js';
import type { RecordTap } from './record-tap.js';

/** No record. */
export const NO_ROW = -1;

/** Which record a context shows, and from where: the caller of the handler sets `row` around each call. */
export interface ContextSource {
  /** Row of the chunk at hand; NO_ROW between calls. */
  row: number;
  /** Names the handler in messages. */
  readonly handler: string;
  readonly tap: RecordTap;
  /** The key of row `row` of the chunk at hand. */
  readonly keyOf: (row: number) => unknown;
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
    this.#mustHaveRecord('topic');
    return this.#source.tap.topic;
  }

  get partition(): number {
    this.#mustHaveRecord('partition');
    return this.#source.tap.partition;
  }

  get offset(): number {
    const row = this.#mustHaveRecord('offset');
    return this.#source.tap.columns.offset[row]!;
  }

  /** Milliseconds since the epoch, as the producer or the broker set them; -1 for none. */
  get timestamp(): number {
    const row = this.#mustHaveRecord('timestamp');
    return this.#source.tap.columns.timestamp[row]!;
  }

  /** The key of the record; null where it has none, which a handler with state never sees. */
  get key(): K {
    return this.#source.keyOf(this.#mustHaveRecord('key')) as K;
  }

  /** All headers, in their order; values are views of bytes that are never overwritten. Decoded anew at each call. */
  get headers(): readonly RecordHeader[] {
    const row = this.#mustHaveRecord('headers');
    const { buffer, headersStart, headersEnd } = this.#source.tap.columns;
    return decodeHeaders(buffer, headersStart[row]!, headersEnd[row]!);
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

  #mustHaveRecord(asked: string): number {
    const { row, handler } = this.#source;
    if (row === NO_ROW) throw nestErrors.contextOutsideCall({ handler, asked });
    return row;
  }
}

function namesOf(descriptors: Iterable<object>): string {
  const names = [...descriptors].map((descriptor) => (descriptor as { readonly name: string }).name);
  return names.length === 0 ? 'none' : names.join(', ');
}
