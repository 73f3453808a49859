import {
  aggregatingState,
  type AggregatingState,
  type BroadcastState,
  broadcastState,
  type Codec,
  type Collector,
  float64,
  json,
  type JobDefinition,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type KeyedContext,
  KeyedFlatMap,
  type ListState,
  listState,
  type MapState,
  mapState,
  type OperatorContext,
  type OperatorListState,
  operatorListState,
  ProcessFunction,
  type ReadOnlyBroadcastState,
  reducingState,
  type ReducingState,
  type StateOptions,
  topic,
  unionListState,
  valueState,
  type ValueState,
} from '@weir/core';

/**
 * The job that the conformance suites of state run: each record is an operation on states, and gives its result out.
 *
 *   operations --keyBy--> states (every kind, without TTL; reads the rules) --> results
 *            |      `--> fading (every kind, with a TTL) ------------------------> results
 *            `--> lists (operator state) -----------------------------------------> results
 *   rules (broadcast) --> states
 */
export const KINDS = ['value', 'list', 'map', 'reducing', 'aggregating'] as const;
export const OPERATOR_KINDS = ['list', 'union-list'] as const;
export type KeyedKind = (typeof KINDS)[number];
export type Kind = KeyedKind | 'union-list' | 'broadcast';
export const OPERATORS = ['states', 'fading', 'lists'] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Operation {
  /** Unique, in the order in which they are piped. */
  readonly n: number;
  readonly operator: Operator;
  readonly kind: Kind;
  readonly act: string;
  /** A byte per character, as is the user key: keys are any bytes. */
  readonly key: string;
  readonly userKey: string;
}
export interface Rule {
  readonly act: 'put' | 'remove' | 'clear';
  readonly userKey: string;
  readonly n: number;
}
export interface Result {
  readonly n: number;
  readonly result: unknown;
}
export interface Mean {
  readonly sum: number;
  readonly count: number;
}

/** Any bytes, as text of one byte per character. */
export const latin1: Codec<string> = {
  id: 'latin1',
  version: 1,
  identity: true,
  encode: (value, out) => {
    out.reserve(value.length);
    out.length += out.buffer.write(value, out.length, 'latin1');
  },
  decode: (buffer, start, end) => buffer.latin1Slice(start, end),
};

/** @param prefix of their names */
export const statesTopics = (prefix: string) => ({
  operations: topic(`${prefix}operations`, { key: latin1, value: json<Operation>() }),
  rules: topic(`${prefix}rules`, { key: latin1, value: json<Rule>() }),
  results: topic(`${prefix}results`, { key: latin1, value: json<Result>() }),
});
export type StatesTopics = ReturnType<typeof statesTopics>;
export const TOPICS = statesTopics('');

export const mean = {
  createAccumulator: (): Mean => ({ sum: 0, count: 0 }),
  add: (value: number, { sum, count }: Mean): Mean => ({ sum: sum + value, count: count + 1 }),
  getResult: ({ sum, count }: Mean): number => sum / count,
  merge: (a: Mean, b: Mean): Mean => ({ sum: a.sum + b.sum, count: a.count + b.count }),
};

export const descriptorsOf = (options: StateOptions = {}) => ({
  value: valueState('value', float64, options),
  list: listState('list', float64, options),
  map: mapState('map', latin1, float64, options),
  reducing: reducingState('reducing', float64, (a, b) => a + b, options),
  aggregating: aggregatingState('aggregating', json<Mean>(), mean, options),
});

/** What may be done with each kind. What is there twice is done twice as often. */
export const ACTS: Readonly<Record<Kind, readonly string[]>> = {
  value: ['update', 'update', 'get', 'clear'],
  list: ['add', 'add', 'add', 'update', 'get', 'get', 'clear'],
  map: ['put', 'put', 'put', 'get', 'has', 'remove', 'entries', 'entries', 'isEmpty', 'clear'],
  reducing: ['add', 'add', 'get', 'clear'],
  aggregating: ['add', 'add', 'merge', 'get', 'clear'],
  'union-list': ['add', 'add', 'add', 'update', 'get', 'get', 'clear'],
  broadcast: ['get', 'has', 'entries'],
};

/** The states of one key, whatever they are kept in. */
export interface KeyedStates {
  readonly value: ValueState<number>;
  readonly list: ListState<number>;
  readonly map: MapState<string, number>;
  readonly reducing: ReducingState<number>;
  readonly aggregating: AggregatingState<number, Mean, number>;
}
/** Those of a task. */
export type ListStates = Readonly<Record<(typeof OPERATOR_KINDS)[number], OperatorListState<number>>>;

/** Does the operation on the states. @returns its result, as JSON takes it */
export const run = (states: KeyedStates, operation: Operation): unknown => runKeyed(states, operation) ?? null;

function runKeyed({ value, list, map, reducing, aggregating }: KeyedStates, { kind, act, userKey, n }: Operation): unknown {
  switch (kind) {
    case 'value':
      return act === 'get' ? value.value() : act === 'update' ? value.update(n) : value.clear();
    case 'list':
      return runList(list, act, n);
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
    default:
      throw new Error(`${kind} is no kind of keyed state`);
  }
}

function runList(list: OperatorListState<number> | ListState<number>, act: string, n: number): unknown {
  if (act === 'add') return list.add(n);
  return act === 'get' ? list.get() : act === 'update' ? list.update([n, -n]) : list.clear();
}

export const runOnLists = (lists: ListStates, { kind, act, n }: Operation): unknown => runList(lists[kind as keyof ListStates], act, n) ?? null;

export const runOnRules = (rules: ReadOnlyBroadcastState<string, number>, { act, userKey }: Operation): unknown =>
  (act === 'get' ? rules.get(userKey) : act === 'has' ? rules.has(userKey) : [...rules.entries()]) ?? null;

export function applyRule(rules: Pick<BroadcastState<string, number>, 'put' | 'remove' | 'clear'>, { act, userKey, n }: Rule): void {
  if (act === 'put') rules.put(userKey, n);
  else if (act === 'remove') rules.remove(userKey);
  else rules.clear();
}

function declare(context: KeyedContext<string>, options: StateOptions): KeyedStates {
  const { value, list, map, reducing, aggregating } = descriptorsOf(options);
  return {
    value: context.state(value),
    list: context.state(list),
    map: context.state(map),
    reducing: context.state(reducing),
    aggregating: context.state(aggregating),
  };
}

class RunWithRules extends KeyedBroadcastProcess<string, Operation, Rule, Result> {
  #states!: KeyedStates;
  #rules!: BroadcastState<string, number>;

  override open(context: KeyedBroadcastContext<string>): void {
    this.#states = declare(context, {});
    this.#rules = context.broadcastState(broadcastState('rules', latin1, float64));
  }

  override process(operation: Operation, out: Collector<Result>): void {
    const result = operation.kind === 'broadcast' ? runOnRules(this.#rules, operation) : run(this.#states, operation);
    out.collect({ n: operation.n, result });
  }

  override processBroadcast(rule: Rule): void {
    applyRule(this.#rules, rule);
  }
}

class RunFading extends KeyedFlatMap<string, Operation, Result> {
  #states!: KeyedStates;

  constructor(private readonly ttlMs: number) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    this.#states = declare(context, { ttl: { ms: this.ttlMs } });
  }

  override flatMap(operation: Operation, out: Collector<Result>): void {
    out.collect({ n: operation.n, result: run(this.#states, operation) });
  }
}

class RunLists extends ProcessFunction<Operation, Result> {
  #lists!: ListStates;

  override open(context: OperatorContext): void {
    const list = context.operatorState(operatorListState('list', float64));
    this.#lists = { list, 'union-list': context.operatorState(unionListState('union-list', float64)) };
  }

  override process(operation: Operation, out: Collector<Result>): void {
    out.collect({ n: operation.n, result: runOnLists(this.#lists, operation) });
  }
}

/** @param ttlMs of the states that fade */
export const statesJob = (ttlMs: number, topics: StatesTopics = TOPICS): JobDefinition => ({
  define: (streams) => {
    const operations = streams.source('operations', topics.operations);
    const keyedOf = (operator: Operator) =>
      operations.filter((operation) => operation.operator === operator).keyBy(latin1, ({ key }) => key, { alreadyPartitioned: { partitioner: 'murmur2' } });
    const rules = streams.source('rules', topics.rules).broadcast();
    keyedOf('states').connect(rules).process('states', () => new RunWithRules()).sink('results', topics.results);
    keyedOf('fading').flatMap('fading', () => new RunFading(ttlMs)).sink('fading-results', topics.results);
    operations.filter(({ operator }) => operator === 'lists').process('lists', () => new RunLists()).sink('list-results', topics.results);
  },
});
