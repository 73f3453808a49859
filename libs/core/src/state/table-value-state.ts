import { errors } from '../errors/errors.js';
import type { AggregatingState } from './aggregating-state.js';
import type { AggregateFunction, Ttl } from './descriptors.js';
import type { KeyEntry, KeyTable } from './key-table.js';
import type { ReducingState } from './reducing-state.js';
import { isExpired, type TableState, Timed } from './table-state.js';
import type { ValueState } from './value-state.js';

/** The handles of states that keep one value per key: value, reducing and aggregating states. */
export class TableValueState<T, R = T | undefined> implements ValueState<T, R> {
  constructor(
    private readonly table: KeyTable,
    private readonly ordinal: number,
    private readonly state: TableState,
    private readonly fallback: R,
  ) {}

  value(): R {
    const entry = this.table.current ?? outsideKey(this.state);
    const found = entry.values[this.ordinal];
    return found === undefined ? this.fallback : (found as R);
  }

  update(value: T): void {
    const entry = this.table.current ?? outsideKey(this.state);
    if (value === undefined) throw undefinedValue(this.state);
    this.table.write(entry, this.ordinal, value);
  }

  clear(): void {
    clearValue(this.table, this.ordinal, this.state);
  }
}

/** The same with a time to live: the entry holds the value with the time of its last update. */
export class TableTimedValueState<T, R = T | undefined> implements ValueState<T, R> {
  readonly #ttl: Ttl;

  constructor(
    private readonly table: KeyTable,
    private readonly ordinal: number,
    private readonly state: TableState,
    private readonly fallback: R,
  ) {
    this.#ttl = state.ttl!;
  }

  value(): R {
    const { table, ordinal } = this;
    const entry = table.current ?? outsideKey(this.state);
    const timed = entry.values[ordinal] as Timed | undefined;
    if (timed === undefined) return this.fallback;
    const now = table.now();
    if (isExpired(timed.at, now, this.#ttl)) {
      table.write(entry, ordinal, undefined);
      return this.fallback;
    }
    if (this.#ttl.update === 'onReadAndWrite' && timed.at < now) table.write(entry, ordinal, new Timed(timed.value, now));
    return timed.value as R;
  }

  update(value: T): void {
    const entry = this.table.current ?? outsideKey(this.state);
    if (value === undefined) throw undefinedValue(this.state);
    this.table.write(entry, this.ordinal, new Timed(value, this.table.now()));
  }

  clear(): void {
    clearValue(this.table, this.ordinal, this.state);
  }
}

export class TableReducingState<T> implements ReducingState<T> {
  constructor(
    private readonly reduced: ValueState<T>,
    private readonly reduce: (soFar: T, value: T) => T,
  ) {}

  add(value: T): void {
    const soFar = this.reduced.value();
    this.reduced.update(soFar === undefined ? value : this.reduce(soFar, value));
  }

  get(): T | undefined {
    return this.reduced.value();
  }

  clear(): void {
    this.reduced.clear();
  }
}

export class TableAggregatingState<In, Acc, Out> implements AggregatingState<In, Acc, Out> {
  constructor(
    private readonly accumulated: ValueState<Acc>,
    private readonly aggregate: AggregateFunction<In, Acc, Out>,
  ) {}

  add(value: In): void {
    this.accumulated.update(this.aggregate.add(value, this.accumulated.value() ?? this.aggregate.createAccumulator()));
  }

  merge(accumulator: Acc): void {
    const own = this.accumulated.value();
    this.accumulated.update(own === undefined ? accumulator : this.aggregate.merge(own, accumulator));
  }

  get(): Out | undefined {
    const accumulator = this.accumulated.value();
    return accumulator === undefined ? undefined : this.aggregate.getResult(accumulator);
  }

  clear(): void {
    this.accumulated.clear();
  }
}

/** Clearing what is not there writes nothing. */
function clearValue(table: KeyTable, ordinal: number, state: TableState): void {
  const entry: KeyEntry = table.current ?? outsideKey(state);
  if (entry.values[ordinal] !== undefined) table.write(entry, ordinal, undefined);
}

function outsideKey({ name, operator }: TableState): never {
  throw errors.stateOutsideKey({ state: name, operator });
}

const undefinedValue = ({ name, operator }: TableState): Error =>
  errors.stateRegistration({ state: name, operator, problem: 'it was updated with undefined', advice: 'Call clear() to remove a value.' });
