import type { Codec } from '../codec/codec.js';

/** Declares a ValueState: one value per key. */
export interface ValueStateDescriptor<T> {
  readonly kind: 'value';
  /** Unique within the operator; with the operator's name it finds the state again. */
  readonly name: string;
  readonly codec: Codec<T>;
}

/** One value per key, Flink's ValueState. */
export const valueState = <T>(name: string, codec: Codec<T>): ValueStateDescriptor<T> => ({ kind: 'value', name, codec });
