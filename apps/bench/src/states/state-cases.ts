import {
  aggregatingState, broadcastState, type BroadcastState, float64, int32, type KeyedBroadcastContext, KeyedBroadcastProcess, listState, mapState,
  type OperatorContext, operatorListState, type OperatorListState, ProcessFunction, reducingState, utf8, valueState,
} from '@weir/core';
import { type CaseRun, keyByItself, keyed, OPERATOR, type StateCase } from './state-case.js';

/** Entries of a key's list or map where one is read. */
const ENTRIES = 10;
/** User keys of a map that is written. */
const USER_KEYS = 64;
/** Later than any run: milliseconds since the epoch. */
const FAR_FUTURE = 4_102_444_800_000;

const add = (a: number, b: number): number => a + b;
const total = { createAccumulator: () => 0, add: (value: number, sum: number) => sum + value, getResult: (sum: number) => sum, merge: add };
const numbersOf = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ofMap = mapState('map', int32, float64);

/** A value alone, for which a plain program keeps an object. */
interface Box {
  value: number;
}
const box = (): Box => ({ value: 0 });

export const STATE_CASES: readonly StateCase[] = [
  keyed({ title: 'keyBy, no state', open: () => undefined, measure: () => undefined, plainState: box, plainMeasure: () => undefined }),
  keyed({
    title: 'ValueState.value',
    open: (context) => context.state(valueState('value', float64)),
    prepare: (state, n) => state.update(n),
    measure: (state, _, run) => void (run.sum += state.value()!),
    plainState: box,
    plainPrepare: (state, n) => void (state.value = n),
    plainMeasure: (state, _, run) => void (run.sum += state.value),
  }),
  keyed({
    title: 'ValueState.update',
    open: (context) => context.state(valueState('value', float64)),
    measure: (state, n) => state.update(n),
    plainState: box,
    plainMeasure: (state, n) => void (state.value = n),
  }),
  keyed({
    title: 'ListState.add',
    open: (context) => context.state(listState('list', float64)),
    measure: (state, n) => state.add(n),
    plainState: () => [] as number[],
    plainMeasure: (list, n) => void list.push(n),
  }),
  keyed({
    title: `ListState.get of ${ENTRIES}`,
    open: (context) => context.state(listState('list', float64)),
    prepare: (state) => state.addAll(numbersOf(ENTRIES)),
    measure: (state, _, run) => void (run.sum += state.get().length),
    plainState: () => [] as number[],
    plainPrepare: (list) => void list.push(...numbersOf(ENTRIES)),
    plainMeasure: (list, _, run) => void (run.sum += [...list].length),
  }),
  keyed({
    title: 'MapState.put',
    open: (context) => context.state(ofMap),
    measure: (state, n) => state.put(n % USER_KEYS, n),
    plainState: () => new Map<number, number>(),
    plainMeasure: (map, n) => void map.set(n % USER_KEYS, n),
  }),
  keyed({
    title: 'MapState.get',
    open: (context) => context.state(ofMap),
    prepare: (state) => state.putAll(numbersOf(ENTRIES).map((i) => [i, i])),
    measure: (state, n, run) => void (run.sum += state.get(n % ENTRIES)!),
    plainState: () => new Map<number, number>(),
    plainPrepare: (map) => numbersOf(ENTRIES).forEach((i) => map.set(i, i)),
    plainMeasure: (map, n, run) => void (run.sum += map.get(n % ENTRIES)!),
  }),
  keyed({
    title: `MapState.entries of ${ENTRIES}`,
    open: (context) => context.state(ofMap),
    prepare: (state) => state.putAll(numbersOf(ENTRIES).map((i) => [i, i])),
    measure: (state, _, run) => {
      for (const [, value] of state.entries()) run.sum += value;
    },
    plainState: () => new Map<number, number>(),
    plainPrepare: (map) => numbersOf(ENTRIES).forEach((i) => map.set(i, i)),
    plainMeasure: (map, _, run) => {
      for (const [, value] of map) run.sum += value;
    },
  }),
  keyed({
    title: 'ReducingState.add',
    open: (context) => context.state(reducingState('reducing', float64, add)),
    measure: (state, n) => state.add(n),
    plainState: box,
    plainMeasure: (state, n) => void (state.value = add(state.value, n)),
  }),
  keyed({
    title: 'AggregatingState.add',
    open: (context) => context.state(aggregatingState('aggregating', float64, total)),
    measure: (state, n) => state.add(n),
    plainState: box,
    plainMeasure: (state, n) => void (state.value = total.add(n, state.value)),
  }),
  keyed({
    title: 'timer, set',
    open: (context) => context.timerService,
    measure: (timers, n) => timers.registerProcessingTimeTimer(FAR_FUTURE + n),
    plainState: () => new Set<number>(),
    plainMeasure: (timers, n) => void timers.add(n),
  }),
  keyed({
    title: 'timer, set and fired',
    open: (context) => context.timerService,
    measure: (timers, n) => timers.registerProcessingTimeTimer(n),
    awaitsTimers: true,
    plainState: () => new Set<number>(),
    plainMeasure: (timers, n, run) => {
      timers.add(n);
      if (timers.delete(n)) run.fired++;
    },
  }),
  {
    title: 'operator ListState.add',
    define: ({ records }, run) => {
      records.process<never>(OPERATOR, () => new AddToList(run));
    },
    plain: (run) => {
      const list: number[] = [];
      return () => {
        if (run.phase === 'measure') list.push(list.length);
      };
    },
  },
  {
    title: 'BroadcastState.get',
    define: ({ records, broadcast }, run) => {
      keyByItself(records).connect(broadcast()).process<never>(OPERATOR, () => new Rules(run));
    },
    plain: plainRules,
  },
  {
    title: 'BroadcastState.put',
    isOfBroadcast: true,
    define: ({ records, broadcast }, run) => {
      keyByItself(records).connect(broadcast()).process<never>(OPERATOR, () => new Rules(run));
    },
    plain: (run) => {
      const rules = new Map<string, number>();
      return (key) => {
        if (run.phase === 'measure') rules.set(key, rules.size);
      };
    },
  },
];

class AddToList extends ProcessFunction<string, never> {
  #list!: OperatorListState<number>;
  #n = 0;

  constructor(private readonly run: CaseRun) {
    super();
  }

  override open(context: OperatorContext): void {
    this.#list = context.operatorState(operatorListState('list', float64));
  }

  override process(): void {
    if (this.run.phase === 'measure') this.#list.add(this.#n++);
  }
}

/** Every key has a rule in the broadcast, its own. */
class Rules extends KeyedBroadcastProcess<string, string, string, never> {
  #rules!: BroadcastState<string, number>;
  #n = 0;

  constructor(private readonly run: CaseRun) {
    super();
  }

  override open(context: KeyedBroadcastContext<string>): void {
    this.#rules = context.broadcastState(broadcastState('rules', utf8, float64));
  }

  override process(key: string): void {
    if (this.run.phase === 'measure') this.run.sum += this.#rules.get(key)!;
  }

  override processBroadcast(key: string): void {
    this.#rules.put(key, this.#n++);
  }
}

function plainRules(run: CaseRun): (key: string) => void {
  const rules = new Map<string, number>();
  return (key) => {
    if (run.phase === 'measure') run.sum += rules.get(key)!;
    else rules.set(key, rules.size);
  };
}
