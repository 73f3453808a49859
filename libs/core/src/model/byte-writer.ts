/** Up to this many bytes a loop copies faster than a call into the runtime, and makes no view. */
const SHORT = 48;

/** Columns point into a buffer with 32 signed bits. */
const MOST_BYTES = 0x7fff_ffff;

/**
 * A growing byte buffer: what codecs encode into. It is cleared and used again, so that encoding a record allocates nothing.
 *
 * Invariant: bytes [0, length) are written; `buffer` is replaced when it grows, so it is read again after every write, never kept.
 */
export class ByteWriter {
  buffer: Buffer;
  length = 0;

  /** @param capacity initial size in bytes */
  constructor(capacity = 1024) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** Makes room for `bytes` more; the contents stay. @throws RangeError beyond 2 GiB */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed > this.buffer.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    if (needed > MOST_BYTES) throw new RangeError(`${needed} bytes would be written at once, and the most is ${MOST_BYTES}`);
    const grown = Buffer.allocUnsafe(Math.min(MOST_BYTES, Math.max(needed, this.buffer.length * 2)));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  writeUint8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  writeUint16(value: number): void {
    this.reserve(2);
    this.length = this.buffer.writeUInt16BE(value, this.length);
  }

  writeUint32(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeUInt32BE(value, this.length);
  }

  writeFloat64(value: number): void {
    this.reserve(8);
    this.length = this.buffer.writeDoubleBE(value, this.length);
  }

  writeInt64(value: bigint): void {
    this.reserve(8);
    this.length = this.buffer.writeBigInt64BE(value, this.length);
  }

  /** Text as UTF-8. Lone surrogates become U+FFFD; a codec that must not lose them checks first. */
  writeUtf8(text: string): void {
    const length = text.length;
    // A UTF-16 unit takes at most three bytes of UTF-8, so this never has to measure the text first.
    this.reserve(length * 3);
    this.length += this.buffer.write(text, this.length, 'utf8');
  }

  writeBytes(source: Uint8Array, start = 0, end = source.length): void {
    const length = end - start;
    this.reserve(length);
    if (length <= SHORT) {
      for (let at = start; at < end; at++) this.buffer[this.length++] = source[at]!;
      return;
    }
    this.buffer.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    this.length += length;
  }

  /** Unsigned LEB128 of an integer below 2^53. */
  writeUnsignedVarint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = rest;
  }

  clear(): void {
    this.length = 0;
  }

  /** A copy of bytes [from, length). */
  copy(from = 0): Buffer {
    return Buffer.from(this.buffer.subarray(from, this.length));
  }
}
