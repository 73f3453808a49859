/** Takes exact numbers of bytes from chunks of any size, holding no more of them than asked for and one chunk. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #short: (wanted: number, found: number, at: number) => Error;
  #held: Buffer = Buffer.alloc(0);
  #position = 0;

  /** @param short makes the error for content that ends too early */
  constructor(content: AsyncIterable<Buffer>, short: (wanted: number, found: number, at: number) => Error) {
    this.#chunks = content[Symbol.asyncIterator]();
    this.#short = short;
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  async take(wanted: number): Promise<Buffer> {
    const parts = [this.#held];
    let length = this.#held.length;
    while (length < wanted) {
      const next = await this.#chunks.next();
      if (next.done === true) throw this.#short(wanted, length, this.#position);
      parts.push(next.value);
      length += next.value.length;
    }
    const all = parts.length === 1 ? this.#held : Buffer.concat(parts, length);
    this.#held = all.subarray(wanted);
    this.#position += wanted;
    return all.subarray(0, wanted);
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#held.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return true;
      this.#held = next.value;
    }
    return false;
  }

  /** Lets go of what the content comes from. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
