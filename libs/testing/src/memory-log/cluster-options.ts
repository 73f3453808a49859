import type { Clock } from '@weir/core';

/** From the first to the second number, both included; whole numbers are drawn by the cluster's seed. */
export type Range = readonly [low: number, high: number];

export interface ClusterOptions {
  /** Timeouts of transactions, markers and tombstones go by it. Clients have clocks of their own (see LogContext). */
  readonly clock: Clock;
  /** What all chance in the cluster comes from. Default 1. */
  readonly seed?: number;
  /** Milliseconds that a request travels, and its reply. Default 0: calls then settle without time passing. */
  readonly travelMs?: Range;
  /** Milliseconds from the end of a transaction to its marker, drawn per partition. Default 0: markers are there before the answer. */
  readonly markerMs?: Range;
  /** Milliseconds until a reader fetches again. Default 0: at the clock's next turn. */
  readonly fetchMs?: Range;
  /** Most rows of one chunk. Default 10000. */
  readonly chunkRows?: Range;
  /** Milliseconds until a client sends again what was lost, or was answered with "busy". Default 2. */
  readonly retryMs?: number;
}

/** Delays and chunk sizes as a busy cluster has them: everything arrives late, in small pieces, and in another order each time. */
export const LIFELIKE = {
  travelMs: [0, 5],
  markerMs: [0, 15],
  fetchMs: [0, 5],
  chunkRows: [1, 20],
} as const satisfies Omit<ClusterOptions, 'clock'>;
