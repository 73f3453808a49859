/**
 * How long the partitions of an output were silent, as a reader of committed records saw it, lap by lap: the longest time between two
 * records of a partition, or from the last one to the end of the lap. A silence that goes over the end of a lap counts in both, with what it
 * had lasted until then.
 */
export class SilenceMeter {
  readonly #last = new Map<number, number>();
  #longest = new Map<number, number>();

  /** @param partitions how many there are @param now monotonic milliseconds, likewise below */
  constructor(partitions: number, now: number) {
    for (let partition = 0; partition < partitions; partition++) this.#last.set(partition, now);
  }

  see(partition: number, now: number): void {
    this.#note(partition, now);
    this.#last.set(partition, now);
  }

  /** Ends a lap. @returns its longest silence of each partition, in milliseconds */
  lap(now: number): readonly number[] {
    for (const partition of this.#last.keys()) this.#note(partition, now);
    const lap = [...this.#last.keys()].map((partition) => this.#longest.get(partition) ?? 0);
    this.#longest = new Map();
    return lap;
  }

  #note(partition: number, now: number): void {
    const silence = now - (this.#last.get(partition) ?? now);
    if (silence > (this.#longest.get(partition) ?? 0)) this.#longest.set(partition, silence);
  }
}

export interface Silence {
  readonly medianMs: number;
  readonly maxMs: number;
}

/** Over partitions and laps. */
export function silenceOf(laps: readonly (readonly number[])[]): Silence {
  const all = laps.flat().sort((a, b) => a - b);
  return { medianMs: Math.round(all[Math.floor(all.length / 2)] ?? 0), maxMs: Math.round(all.at(-1) ?? 0) };
}
