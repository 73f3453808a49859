/** A record as a witness reports it. */
export interface SeenRecord {
  readonly partition: number;
  readonly offset: number;
  /** The partition where the Java client puts this key; -1 where there is no key, or nobody asked Java. */
  readonly home: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface SeenEnds {
  readonly partition: number;
  readonly start: number;
  readonly lastStable: number;
  readonly highWatermark: number;
}
