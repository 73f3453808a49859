/**
 * CacheBudget: how many bytes of heap the tables of keys of a job's tasks may take together in this process. Each table has an even share, which
 * grows and shrinks as tasks come and go; a table that holds more evicts at its next chunk. What a table holds is an estimate, from sizes that
 * are known where keys and values are encoded and decoded anyway (key-table.ts).
 */
export class CacheBudget {
  #tables = 0;

  constructor(private readonly bytes: number) {}

  /** A table begins. */
  join(): CacheShare {
    this.#tables++;
    let hasLeft = false;
    return {
      bytes: () => this.bytes / this.#tables,
      leave: () => {
        if (!hasLeft) this.#tables--;
        hasLeft = true;
      },
    };
  }
}

export interface CacheShare {
  /** Of the table, now. */
  bytes(): number;
  /** The table is used no more. Idempotent. */
  leave(): void;
}
