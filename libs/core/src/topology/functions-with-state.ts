import type { Codec } from '../codec/codec.js';
import { valueState } from '../state/descriptors.js';
import type { ValueState } from '../state/value-state.js';
import { type Collector, KeyedFilter, KeyedFlatMap, type KeyedContext, KeyedMap, type WithState } from './functions.js';

/**
 * The shorthands with one value state: a plain function of the value, the state before it (undefined before a key's first record) and
 * the key, which returns the state after it.
 */
export type StateFunction<K, V, S, R> = (value: V, state: S | undefined, key: K) => R;

/** Name of the one state of a shorthand; part of the stored keys, so it never changes. */
const STATE_NAME = 'state';

class OneState<K, S> {
  #state!: ValueState<S>;
  #context!: KeyedContext<K>;

  constructor(private readonly codec: Codec<S>) {}

  open(context: KeyedContext<K>): void {
    this.#context = context;
    this.#state = context.state(valueState(STATE_NAME, this.codec));
  }

  run<V, R extends WithState<S>>(run: StateFunction<K, V, S, R>, value: V): R {
    const before = this.#state.value();
    const result = run(value, before, this.#context.currentKey());
    if (result.state === undefined) this.#state.clear();
    else this.#state.update(result.state);
    return result;
  }
}

export function mapWithState<K, V, S, R>(codec: Codec<S>, map: StateFunction<K, V, S, WithState<S> & { readonly value: R }>): KeyedMap<K, V, R> {
  const state = new OneState<K, S>(codec);
  return new (class extends KeyedMap<K, V, R> {
    override open(context: KeyedContext<K>): void {
      state.open(context);
    }
    override map(value: V): R {
      return state.run(map, value).value;
    }
  })();
}

export function flatMapWithState<K, V, S, R>(
  codec: Codec<S>,
  flatMap: StateFunction<K, V, S, WithState<S> & { readonly values: readonly R[] }>,
): KeyedFlatMap<K, V, R> {
  const state = new OneState<K, S>(codec);
  return new (class extends KeyedFlatMap<K, V, R> {
    override open(context: KeyedContext<K>): void {
      state.open(context);
    }
    override flatMap(value: V, out: Collector<R>): void {
      for (const result of state.run(flatMap, value).values) out.collect(result);
    }
  })();
}

export function filterWithState<K, V, S>(codec: Codec<S>, filter: StateFunction<K, V, S, WithState<S> & { readonly keep: boolean }>): KeyedFilter<K, V> {
  const state = new OneState<K, S>(codec);
  return new (class extends KeyedFilter<K, V> {
    override open(context: KeyedContext<K>): void {
      state.open(context);
    }
    override filter(value: V): boolean {
      return state.run(filter, value).keep;
    }
  })();
}
