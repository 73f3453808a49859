import {
  aggregatingState,
  type AggregatingState,
  type Collector,
  float64,
  json,
  type JobDefinition,
  KeyedFlatMap,
  type KeyedContext,
  type ListState,
  listState,
  type MapState,
  mapState,
  reducingState,
  type ReducingState,
  type StateOptions,
  topic,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';

/** The job that the conformance suite of keyed state runs: each record is an operation on its key's states, and gives its result out. */
export const KINDS = ['value', 'list', 'map', 'reducing', 'aggregating'] as const;
export type Kind = (typeof KINDS)[number];

export interface Operation {
  readonly key: string;
  /** Unique, in the order in which they are piped. */
  readonly n: number;
  readonly kind: Kind;
  readonly act: string;
  readonly userKey: string;
}
export interface Result {
  readonly n: number;
  readonly result: unknown;
}
interface Mean {
  readonly sum: number;
  readonly count: number;
}

export const OPERATIONS = topic('operations', { key: utf8, value: json<Operation>() });
export const RESULTS = topic('results', { key: utf8, value: json<Result>() });
export const OPERATOR = 'states';

const mean = {
  createAccumulator: (): Mean => ({ sum: 0, count: 0 }),
  add: (value: number, { sum, count }: Mean): Mean => ({ sum: sum + value, count: count + 1 }),
  getResult: ({ sum, count }: Mean): number => sum / count,
  merge: (a: Mean, b: Mean): Mean => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};

export const descriptorsOf = (options: StateOptions = {}) => ({
  value: valueState('value', float64, options),
  list: listState('list', float64, options),
  map: mapState('map', utf8, float64, options),
  reducing: reducingState('reducing', float64, (a, b) => a + b, options),
  aggregating: aggregatingState('aggregating', json<Mean>(), mean, options),
});

export const ACTS: Readonly<Record<Kind, readonly string[]>> = {
  value: ['update', 'update', 'get', 'clear'],
  list: ['add', 'add', 'add', 'update', 'get', 'get', 'clear'],
  map: ['put', 'put', 'put', 'get', 'has', 'remove', 'entries', 'entries', 'isEmpty', 'clear'],
  reducing: ['add', 'add', 'get', 'clear'],
  aggregating: ['add', 'add', 'merge', 'get', 'clear'],
};

/** The states of one key, whatever they are kept in. */
interface States {
  readonly value: ValueState<number>;
  readonly list: ListState<number>;
  readonly map: MapState<string, number>;
  readonly reducing: ReducingState<number>;
  readonly aggregating: AggregatingState<number, Mean, number>;
}

function run({ value, list, map, reducing, aggregating }: States, { kind, act, userKey, n }: Operation): unknown {
  switch (kind) {
    case 'value':
      return act === 'get' ? value.value() : act === 'update' ? value.update(n) : value.clear();
    case 'list':
      if (act === 'add') return list.add(n);
      return act === 'get' ? list.get() : act === 'update' ? list.update([n, -n]) : list.clear();
    case 'reducing':
      return act === 'get' ? reducing.get() : act === 'add' ? reducing.add(n) : reducing.clear();
    case 'aggregating':
      if (act === 'merge') return aggregating.merge({ sum: n, count: 2 });
      return act === 'get' ? aggregating.get() : act === 'add' ? aggregating.add(n) : aggregating.clear();
    case 'map':
      if (act === 'put') return map.put(userKey, n);
      if (act === 'get' || act === 'has') return act === 'get' ? map.get(userKey) : map.has(userKey);
      if (act === 'remove') return map.remove(userKey);
      return act === 'entries' ? [...map.entries()] : act === 'isEmpty' ? map.isEmpty() : map.clear();
  }
}

class RunOperations extends KeyedFlatMap<string, Operation, Result> {
  #states!: States;

  constructor(private readonly options: StateOptions) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    const { value, list, map, reducing, aggregating } = descriptorsOf(this.options);
    this.#states = {
      value: context.state(value),
      list: context.state(list),
      map: context.state(map),
      reducing: context.state(reducing),
      aggregating: context.state(aggregating),
    };
  }

  override flatMap(operation: Operation, out: Collector<Result>): void {
    out.collect({ n: operation.n, result: run(this.#states, operation) ?? null });
  }
}

export const statesJob = (options: StateOptions = {}): JobDefinition => ({
  define: (streams) =>
    streams
      .source('operations', OPERATIONS)
      .keyBy(utf8, ({ key }) => key, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap(OPERATOR, () => new RunOperations(options))
      .sink('results', RESULTS),
});

/** The same states in plain variables: what the job is compared with. */
export class PlainStates {
  value: number | undefined;
  list: number[] = [];
  readonly map = new Map<string, number>();
  reducing: number | undefined;
  aggregating: Mean | undefined;

  /** The map in the order of its keys' bytes. */
  get entries(): [string, number][] {
    return [...this.map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  run(operation: Operation): unknown {
    return run(this.#states, operation) ?? null;
  }

  readonly #states: States = {
    value: { value: () => this.value, update: (value) => void (this.value = value), clear: () => void (this.value = undefined) },
    list: {
      add: (value) => void this.list.push(value),
      addAll: (values) => void this.list.push(...values),
      update: (values) => void (this.list = [...values]),
      get: () => [...this.list],
      clear: () => void (this.list = []),
    },
    map: {
      get: (key) => this.map.get(key),
      put: (key, value) => void this.map.set(key, value),
      putAll: (entries) => [...entries].forEach(([key, value]) => this.map.set(key, value)),
      has: (key) => this.map.has(key),
      remove: (key) => void this.map.delete(key),
      entries: () => this.entries[Symbol.iterator](),
      keys: () => this.map.keys(),
      values: () => this.map.values(),
      isEmpty: () => this.map.size === 0,
      clear: () => this.map.clear(),
    },
    reducing: {
      add: (value) => void (this.reducing = (this.reducing ?? 0) + value),
      get: () => this.reducing,
      clear: () => void (this.reducing = undefined),
    },
    aggregating: {
      add: (value) => void (this.aggregating = mean.add(value, this.aggregating ?? mean.createAccumulator())),
      merge: (other) => void (this.aggregating = this.aggregating === undefined ? other : mean.merge(this.aggregating, other)),
      get: () => (this.aggregating === undefined ? undefined : mean.getResult(this.aggregating)),
      clear: () => void (this.aggregating = undefined),
    },
  };
}
