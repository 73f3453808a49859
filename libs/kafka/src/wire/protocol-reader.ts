import { errors } from '../errors.js';
import type { Api } from './wire.js';

/**
 * Reads the fields of an answer in Kafka's protocol encodings, flexible or not. Every length is checked against what is left, so
 * hostile bytes give an error before they cost memory.
 *
 * @throws WeirError `data` KAFKA_ANSWER_DAMAGED from every method, when the bytes do not hold what the protocol says
 */
export class ProtocolReader {
  readonly #api: Api;
  readonly #buffer: Buffer;
  #at = 0;

  constructor(api: Api, buffer: Buffer) {
    this.#api = api;
    this.#buffer = buffer;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes < 0 || at + bytes > this.#buffer.length) {
      throw this.damaged(`a field of ${bytes} bytes at byte ${at} of ${this.#buffer.length}`);
    }
    this.#at = at + bytes;
    return at;
  }

  damaged(problem: string): Error {
    return errors.answerDamaged({ api: this.#api.name, version: this.#api.version, problem });
  }

  int8(): number {
    return this.#buffer.readInt8(this.#take(1));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  int64(): number {
    const at = this.#take(8);
    const value = this.#buffer.readInt32BE(at) * 0x1_0000_0000 + this.#buffer.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw this.damaged(`an int64 at byte ${at} beyond 2^53`);
    return value;
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 0x80) {
      const byte = this.#buffer[this.#take(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw this.damaged(`a varint of more than 5 bytes at byte ${this.#at}`);
  }

  string(): string {
    const text = this.nullableString();
    if (text === null) throw this.damaged(`a null string at byte ${this.#at}`);
    return text;
  }

  nullableString(): string | null {
    const length = this.#api.flexible ? this.uvarint() - 1 : this.int16();
    if (length === -1) return null;
    const at = this.#take(length);
    return this.#buffer.toString('utf8', at, at + length);
  }

  uuid(): string {
    const at = this.#take(16);
    return this.#buffer.toString('hex', at, at + 16);
  }

  /** A byte field as a view; empty for null. */
  bytes(): Buffer {
    const length = this.#api.flexible ? this.uvarint() - 1 : this.int32();
    if (length === -1) return this.#buffer.subarray(0, 0);
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** The elements of an array; none for null. Each takes at least one byte, which bounds the count. */
  array<T>(read: () => T): T[] {
    const count = this.#api.flexible ? this.uvarint() - 1 : this.int32();
    if (count < -1 || count > this.#buffer.length - this.#at) throw this.damaged(`an array of ${count} elements at byte ${this.#at}`);
    const elements: T[] = [];
    for (let i = 0; i < count; i++) elements.push(read());
    return elements;
  }

  /**
   * Passes the tagged fields that end a structure of a flexible version.
   * @param read reads the field of a tag; false leaves it
   */
  tags(read: (tag: number) => boolean = () => false): void {
    if (!this.#api.flexible) return;
    for (let left = this.uvarint(); left > 0; left--) {
      const tag = this.uvarint();
      const bytes = this.uvarint();
      const end = this.#at + bytes;
      if (!read(tag)) this.#take(bytes);
      if (this.#at !== end) throw this.damaged(`a tagged field ${tag} of ${bytes} bytes that ends at byte ${this.#at} instead of ${end}`);
    }
  }
}
