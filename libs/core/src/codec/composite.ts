import { ByteWriter } from '../model/byte-writer.js';
import type { Codec, Decoded } from './codec.js';

/**
 * Codecs made of parts. Each part is its length (unsigned varint) and its bytes; no part knows of the others.
 *
 *   tuple, struct   the parts, in the order of declaration
 *   list            the count (unsigned varint), then the elements
 *   optional        0, or 1 and the value's bytes to the end, without a length
 *
 * An id names the parts' ids, and their versions above 1: `struct<id:utf8,at:time@2>`. So a part whose format changes is a whole whose
 * format changes, and state is never read with another by accident. The version is that of the layout above.
 */
const COMPOSITE_VERSION = 1;

const idOf = ({ id, version }: Codec<unknown>): string => (version === 1 ? id : `${id}@${version}`);

/** A part's look-ups are the whole's. */
function preparing(parts: readonly Codec<unknown>[]): Pick<Codec<unknown>, 'prepare'> {
  if (parts.every((part) => part.prepare === undefined)) return {};
  return { prepare: async () => void (await Promise.all(parts.map((part) => part.prepare?.()))) };
}

/** The types of a tuple's parts. */
export type TupleOf<C extends readonly Codec<unknown>[]> = { readonly [I in keyof C]: Decoded<C[I]> };

/** A tuple of a fixed length. @throws TypeError for an array of another length */
export function tuple<const C extends readonly Codec<unknown>[]>(...parts: C): Codec<TupleOf<C>> {
  const id = `tuple<${parts.map(idOf).join(',')}>`;
  const writer = new PartWriter();
  return {
    id,
    version: COMPOSITE_VERSION,
    ...preparing(parts),
    encode: (value, out) => {
      if (!Array.isArray(value) || value.length !== parts.length) throw new TypeError(`${id} takes an array of ${parts.length}`);
      parts.forEach((part, i) => writer.write(part, value[i], out));
    },
    decode: (buffer, start, end) => {
      const reader = new PartReader(id, buffer, start, end);
      const values = parts.map((part) => reader.read(part));
      reader.end();
      return values as TupleOf<C>;
    },
  };
}

/** The types of a struct's fields. */
export type StructOf<F extends Readonly<Record<string, Codec<unknown>>>> = { readonly [K in keyof F]: Decoded<F[K]> };

/**
 * An object with the fields given, and no others: more fields of a value are left out. Names and order of the fields are part of the format.
 * @throws TypeError for what is no object
 */
export function struct<const F extends Readonly<Record<string, Codec<unknown>>>>(fields: F): Codec<StructOf<F>> {
  const entries = Object.entries(fields);
  const id = `struct<${entries.map(([name, part]) => `${name}:${idOf(part)}`).join(',')}>`;
  const writer = new PartWriter();
  return {
    id,
    version: COMPOSITE_VERSION,
    ...preparing(Object.values(fields)),
    encode: (value, out) => {
      if (typeof value !== 'object' || value === null) throw new TypeError(`${id} takes an object, and ${value === null ? 'null' : typeof value} came`);
      for (const [name, part] of entries) writer.write(part, (value as Record<string, unknown>)[name], out);
    },
    decode: (buffer, start, end) => {
      const reader = new PartReader(id, buffer, start, end);
      // Not by assignment: a field may be called __proto__.
      const value = Object.fromEntries(entries.map(([name, part]) => [name, reader.read(part)]));
      reader.end();
      return value as StructOf<F>;
    },
  };
}

/** An array of any length. For a collection that grows, a list state is cheaper: it writes an element, not the whole. */
export function list<T>(element: Codec<T>): Codec<readonly T[]> {
  const id = `list<${idOf(element)}>`;
  const writer = new PartWriter();
  return {
    id,
    version: COMPOSITE_VERSION,
    ...preparing([element]),
    encode: (value, out) => {
      if (!Array.isArray(value)) throw new TypeError(`${id} takes an array, and ${typeof value} came`);
      out.writeUnsignedVarint(value.length);
      for (const one of value as readonly T[]) writer.write(element, one, out);
    },
    decode: (buffer, start, end) => {
      const reader = new PartReader(id, buffer, start, end);
      const count = reader.varint();
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(reader.read(element)); // damaged counts run into the end of the bytes
      reader.end();
      return values;
    },
  };
}

/** A value or undefined: for fields that may be missing. A state itself has no need of it, for a key without a value is undefined. */
export function optional<T>(value: Codec<T>): Codec<T | undefined> {
  const id = `optional<${idOf(value)}>`;
  return {
    id,
    version: COMPOSITE_VERSION,
    ...preparing([value]),
    encode: (given, out) => {
      out.writeUint8(given === undefined ? 0 : 1);
      if (given !== undefined) value.encode(given, out);
    },
    decode: (buffer, start, end) => {
      if (start < end && buffer[start] === 1) return value.decode(buffer, start + 1, end);
      if (end - start === 1 && buffer[start] === 0) return undefined;
      throw new RangeError(`${id} begins with 1, or is the byte 0; ${end - start} bytes came`);
    },
  };
}

/** Writes parts behind their lengths. One for each codec, so that a part of the same kind inside has another. */
class PartWriter {
  readonly #scratch = new ByteWriter(64);

  write<T>(part: Codec<T>, value: T, out: ByteWriter): void {
    this.#scratch.clear();
    part.encode(value, this.#scratch);
    out.writeUnsignedVarint(this.#scratch.length);
    out.writeBytes(this.#scratch.buffer, 0, this.#scratch.length);
  }
}

class PartReader {
  constructor(
    private readonly id: string,
    private readonly buffer: Buffer,
    private at: number,
    private readonly stop: number,
  ) {}

  read<T>(part: Codec<T>): T {
    const length = this.varint();
    const start = this.at;
    if (start + length > this.stop) throw this.#damaged();
    this.at = start + length;
    return part.decode(this.buffer, start, this.at);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 42; scale *= 0x80) {
      if (this.at >= this.stop) break;
      const byte = this.buffer[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw this.#damaged();
  }

  end(): void {
    if (this.at !== this.stop) throw this.#damaged();
  }

  #damaged(): RangeError {
    return new RangeError(`the bytes are no ${this.id}: lengths and end do not fit`);
  }
}
