/**
 * Random numbers that are the same for the same seed: sfc32 by Chris Doty-Humphrey (PractRand, 2010), a small fast
 * counting generator with 128 bits of state and a period of at least 2^32. The seed fills the state through
 * splitmix32, so that neighbouring seeds give unrelated streams. Not for secrets.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any number; its integer part modulo 2^32 counts */
  constructor(readonly seed: number) {
    const split = splitmix32(seed);
    this.#a = split();
    this.#b = split();
    this.#c = split();
    // The author's own seeding discards the first 12 rounds.
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of `choices`, which are not empty. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  /** A stream of its own, so that drawing from it does not shift this one. The label keeps siblings apart. */
  fork(label: number): SeededRandom {
    return new SeededRandom(splitmix32(this.seed)() ^ splitmix32(label + 0x9e3779b9)());
  }
}

/** splitmix32: Sebastiano Vigna's splitmix64 cut to 32 bits, with the finalizer of MurmurHash3. */
function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) | 0;
  };
}
