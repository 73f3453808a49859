import type { Codec } from '../codec/codec.js';
import { errors, problemOf, showBytes } from '../errors/errors.js';
import type { ByteWriter } from '../model/byte-writer.js';
import type { Ttl } from './descriptors.js';
import { beginPlainValue, beginTimedValue, storedValueStart, storedValueTime } from './stored-value.js';

/** One state of a table's keys, by the operator that declared it. */
export interface TableState {
  readonly stateId: number;
  readonly operator: string;
  readonly name: string;
  /** Of a value, an element, or a map's value. */
  readonly codec: Codec<unknown>;
  /** Values are `Timed` if there is one, and bare otherwise. */
  readonly ttl?: Ttl | undefined;
  /** A list or a map: its entries are read one by one, never when a key enters the table. */
  readonly isCollection?: boolean;
}

/** A value of a state with a time to live. */
export class Timed {
  /** @param at when it was last updated, milliseconds since the epoch; NaN for a stored value from a time without TTL */
  constructor(
    readonly value: unknown,
    readonly at: number,
  ) {}
}

export const isExpired = (at: number, now: number, ttl: Ttl): boolean => now - at >= ttl.ms;

/**
 * A stored value as the table keeps it.
 * @throws WeirError `invalid` STATE_UNDECODABLE
 */
export function decodeStateValue(state: TableState, stored: Buffer): unknown {
  try {
    const start = storedValueStart(stored, 0, stored.length);
    const value = state.codec.decode(stored, start, stored.length);
    return state.ttl === undefined ? value : new Timed(value, storedValueTime(stored, 0));
  } catch (thrown) {
    const { name, operator, codec } = state;
    const facts = { state: name, operator, codec: codec.id, problem: problemOf(thrown), bytes: showBytes(stored, 0, stored.length) };
    throw errors.stateUndecodable(facts, thrown);
  }
}

/** The inverse. @throws WeirError `data` STATE_UNENCODABLE */
export function encodeStateValue({ codec, name, operator }: TableState, value: unknown, out: ByteWriter): void {
  try {
    if (value instanceof Timed) {
      beginTimedValue(out, value.at);
      codec.encode(value.value, out);
    } else {
      beginPlainValue(out);
      codec.encode(value, out);
    }
  } catch (thrown) {
    throw errors.stateUnencodable({ state: name, operator, codec: codec.id, problem: problemOf(thrown) }, thrown);
  }
}
