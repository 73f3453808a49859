import type { Codec } from '../codec/codec.js';
import type { RecordHeader } from '../model/headers.js';

/**
 * The record that is processed, as it lies in the log. One object for all records of a task: it shows the one at hand, so take out what is
 * to be kept. Behind a shuffle that is the record of the repartition topic; of a timer, one without key and headers.
 */
export interface RecordView {
  readonly topic: string;
  /** -1 of a timer. */
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch, as the producer or the broker set them; -1 for none. */
  readonly timestamp: number;
  /** The record's own key, decoded anew at each call; null for none. @throws what the codec throws */
  keyAs<K>(codec: Codec<K>): K | null;
  /** Bytes of the record's own key, a view; null for none. */
  keyBytes(): Buffer | null;
  /** All headers, in their order; values are views. Decoded anew at each call. */
  headers(): readonly RecordHeader[];
}
