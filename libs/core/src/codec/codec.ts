import type { ByteWriter } from '../model/byte-writer.js';
import { readText, writeText } from './text.js';

/**
 * Turns values into bytes and back. Used once per record, so the primitive form works in place: it appends to a writer that is
 * used again and again, and reads from a range of a larger buffer. Codecs that do not mind a copy come from `codec()`.
 */
export interface Codec<T> {
  /** Stable name of the format: kept with the state, so that state is never read with another codec by accident. */
  readonly id: string;
  /** Version of the format, counted from 1. */
  readonly version: number;
  /**
   * Whether equal bytes mean equal values under `Map`'s key comparison, and the other way round: such keys need no encoding to be
   * looked up. False is always safe.
   */
  readonly identity?: boolean;
  /** @throws TypeError if the value is not of this codec's type */
  encode(value: T, out: ByteWriter): void;
  /**
   * Reads bytes [start, end). A result may be a view of `buffer`, which is never overwritten.
   * @throws Error if the bytes are not of this format; the caller names record and place
   */
  decode(buffer: Buffer, start: number, end: number): T;
  /**
   * Looks up what encoding and decoding need, say a schema from a registry: neither may wait. Awaited by every task before it reads its
   * first record; a rejection fails the task, which starts again by its restart strategy. A schema that a record names and that was not
   * there yet makes `decode` throw, which is then a record that cannot be decoded.
   */
  prepare?(): Promise<void>;
}

/**
 * What encodes values of this type, be it made for wider ones. TypeScript compares methods both ways; a codec that is for narrower
 * values is refused only where this is asked for, too.
 */
export interface Encodes<T> {
  readonly encode: (value: T, out: ByteWriter) => void;
}

/** Value type of a codec. */
export type Decoded<C> = C extends Codec<infer T> ? T : never;

/** A codec from two plain functions. `bytes` handed to `decode` is a view. */
export function codec<T>(form: {
  readonly id: string;
  readonly version?: number;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Buffer) => T;
  readonly prepare?: () => Promise<void>;
}): Codec<T> {
  return {
    id: form.id,
    version: form.version ?? 1,
    encode: (value, out) => out.writeBytes(form.encode(value)),
    decode: (buffer, start, end) => form.decode(buffer.subarray(start, end)),
    ...(form.prepare === undefined ? {} : { prepare: form.prepare }),
  };
}

/** A text codec from two plain functions: for formats of lines, such as CSV. Bytes that are not UTF-8 are refused, as is text with a lone surrogate. */
export function textCodec<T>(form: {
  readonly id: string;
  readonly version?: number;
  readonly encode: (value: T) => string;
  readonly decode: (text: string) => T;
}): Codec<T> {
  return {
    id: form.id,
    version: form.version ?? 1,
    encode: (value, out) => writeText(form.encode(value), out, form.id),
    decode: (buffer, start, end) => form.decode(readText(buffer, start, end)),
  };
}

/** The bytes of one value: for edges and tests. */
export function encodeToBuffer<T>(of: Codec<T>, value: T, scratch: ByteWriter): Buffer {
  scratch.clear();
  of.encode(value, scratch);
  return scratch.copy();
}
