const INITIAL_BYTES = 256;

/**
 * Writes the fields of a request body in Kafka's protocol encodings. One class for both families of versions: `flexible` ones
 * have compact strings and arrays and end each structure with tagged fields, of which this library sends none.
 * Byte fields that are large (record batches) are passed on as they are: `finish` gives a list of buffers.
 */
export class ProtocolWriter {
  readonly #flexible: boolean;
  readonly #parts: Buffer[] = [];
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  constructor(flexible: boolean) {
    this.#flexible = flexible;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#length + bytes, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  int8(value: number): this {
    this.#room(1);
    this.#length = this.#buffer.writeInt8(value, this.#length);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int16(value: number): this {
    this.#room(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
    return this;
  }

  int32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
    return this;
  }

  /** @param value a whole number of at most 2^53 in size */
  int64(value: number): this {
    this.#room(8);
    const high = Math.floor(value / 0x1_0000_0000);
    this.#buffer.writeInt32BE(high, this.#length);
    this.#buffer.writeUInt32BE(value - high * 0x1_0000_0000, this.#length + 4);
    this.#length += 8;
    return this;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  uvarint(value: number): this {
    this.#room(5);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.#flexible ? this.uvarint(0) : this.int16(-1);
    const length = Buffer.byteLength(value, 'utf8');
    if (this.#flexible) this.uvarint(length + 1);
    else this.int16(length);
    this.#room(length);
    this.#length += this.#buffer.write(value, this.#length, 'utf8');
    return this;
  }

  /** 16 bytes of a UUID. */
  uuid(bytes: Buffer): this {
    this.#room(16);
    this.#length += bytes.copy(this.#buffer, this.#length, 0, 16);
    return this;
  }

  /** Length of an array; its elements follow. -1 for a null array. */
  count(elements: number): this {
    return this.#flexible ? this.uvarint(elements + 1) : this.int32(elements);
  }

  array<T>(elements: readonly T[], write: (element: T) => void): this {
    this.count(elements.length);
    for (const element of elements) write(element);
    return this;
  }

  /** A byte field, passed on without copying. */
  bytes(value: Buffer): this {
    if (this.#flexible) this.uvarint(value.length + 1);
    else this.int32(value.length);
    this.#cut();
    this.#parts.push(value);
    return this;
  }

  /** Ends a structure: no tagged fields. Nothing in versions that are not flexible. */
  tags(): this {
    return this.#flexible ? this.int8(0) : this;
  }

  #cut(): void {
    if (this.#length > 0) this.#parts.push(this.#buffer.subarray(0, this.#length));
    this.#buffer = this.#buffer.subarray(this.#length);
    this.#length = 0;
  }

  /** What was written. The writer is not used after it. */
  finish(): readonly Buffer[] {
    this.#cut();
    return this.#parts;
  }
}
