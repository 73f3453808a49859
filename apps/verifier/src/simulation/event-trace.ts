import type { CallFacts } from '@weir/testing';

/**
 * What happened in a run, in the order in which it did, as a hash: two runs with one hash are the same run, for all practical purposes. Every call
 * that reached the log is in it, with its time and its client. (FNV-1a by Fowler, Noll and Vo, twice, from different bases.)
 */
export class EventTrace {
  #low = 0x811c9dc5;
  #high = 0x1b873593;
  #events = 0;

  /** @param tell gets each event as a line, if anybody wants to read it */
  constructor(private readonly tell?: (line: string) => void) {}

  get events(): number {
    return this.#events;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  onCall(atMs: number, { call, clientId, transactionalId = '', partitions }: CallFacts): void {
    let where = '';
    for (const { topic, partition } of partitions) where += ` ${topic}-${partition}`;
    this.add(`${atMs} ${clientId} ${call} ${transactionalId}${where}`);
  }

  add(line: string): void {
    this.#events++;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ code, 0x01000193);
    }
    this.tell?.(line);
  }
}
