import { errors, show } from '../errors/errors.js';
import type { AggregatingState } from './aggregating-state.js';
import type {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  StateDescriptor,
  StateOptions,
  ValueStateDescriptor,
} from './descriptors.js';
import { KeyedCollection } from './keyed-collection.js';
import { type KeyTable, MAX_STATES_PER_TABLE } from './key-table.js';
import type { ListState } from './list-state.js';
import type { MapState } from './map-state.js';
import type { ReducingState } from './reducing-state.js';
import { type StateDeclaration, twiceAs } from './state-catalogue.js';
import { stateIdOf } from './stored-key.js';
import { TableListState } from './table-list-state.js';
import { TableMapState } from './table-map-state.js';
import type { TableState } from './table-state.js';
import { TableAggregatingState, TableReducingState, TableTimedValueState, TableValueState } from './table-value-state.js';
import type { ValueState } from './value-state.js';

/** Declares states of every kind and gives their handles out. */
export interface KeyedStates {
  state<T, R>(descriptor: ValueStateDescriptor<T, R>): ValueState<T, R>;
  state<T>(descriptor: ListStateDescriptor<T>): ListState<T>;
  state<UK, UV>(descriptor: MapStateDescriptor<UK, UV>): MapState<UK, UV>;
  state<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>;
  state<In, Acc, Out>(descriptor: AggregatingStateDescriptor<In, Acc, Out>): AggregatingState<In, Acc, Out>;
}

/**
 * The states that one operator declares in `open`, checked as they come. After `seal` the set is fixed: the table of keys lays its
 * entries out by it, and a state that came later would be missing in every commit before.
 */
export class KeyedStateRegistry {
  readonly #declared = new Map<string, StateDeclaration>();
  readonly #descriptors: StateDescriptor[] = [];
  #sealed = false;

  /** @param takenIds ids of all states of the task, shared by its operators */
  constructor(
    private readonly operator: string,
    private readonly table: KeyTable,
    private readonly takenIds: Map<number, string>,
  ) {}

  get declarations(): ReadonlyMap<string, StateDeclaration> {
    return this.#declared;
  }

  /** What was declared, in that order. */
  get descriptors(): readonly StateDescriptor[] {
    return this.#descriptors;
  }

  seal(): void {
    this.#sealed = true;
  }

  /** Types are those of the descriptor (KeyedStates); inside they are unknown. @throws WeirError `invalid` STATE_REGISTRATION */
  readonly state = ((descriptor: StateDescriptor) => this.#handle(descriptor)) as KeyedStates['state'];

  #handle(descriptor: StateDescriptor): unknown {
    const id = this.#register(descriptor);
    const { name, codec, ttl, kind } = descriptor;
    const isCollection = kind === 'list' || kind === 'map';
    const state: TableState = { stateId: id, operator: this.operator, name, codec, ttl, isCollection };
    const ordinal = this.table.declare(state);
    switch (descriptor.kind) {
      case 'value':
        return this.#value(ordinal, state, descriptor.default);
      case 'reducing':
        return new TableReducingState(this.#value(ordinal, state, undefined), descriptor.reduce);
      case 'aggregating':
        return new TableAggregatingState(this.#value(ordinal, state, undefined), descriptor.aggregate);
      case 'list':
        return new TableListState(new KeyedCollection(this.table, ordinal, state, false), this.table.sequence);
      case 'map':
        return new TableMapState(new KeyedCollection(this.table, ordinal, state, true), descriptor.keyCodec);
    }
  }

  #value(ordinal: number, state: TableState, fallback: unknown): ValueState<unknown> {
    return state.ttl === undefined
      ? new TableValueState<unknown>(this.table, ordinal, state, fallback)
      : new TableTimedValueState<unknown>(this.table, ordinal, state, fallback);
  }

  /** The state's id. */
  #register(descriptor: StateDescriptor): number {
    const { name, kind } = descriptor;
    if (this.#sealed) throw this.#refuse(name, 'it is registered after open', 'Register every state in open.');
    const before = this.#declared.get(name);
    if (before !== undefined) throw this.#refuse(name, twiceAs(before.kind, kind), 'Register it once, in open, and keep the handle in a field.');
    if (this.table.stateCount >= MAX_STATES_PER_TABLE) {
      throw this.#refuse(name, `the operators behind one keyBy have at most ${MAX_STATES_PER_TABLE} states`, 'Keep several values in one state, or call keyBy once more.');
    }
    this.#checkTtl(name, descriptor);
    const id = stateIdOf(this.operator, name);
    const other = this.takenIds.get(id);
    if (other === `state ${name} of operator ${this.operator}`) {
      throw this.#refuse(name, 'it is registered as operator state, too', 'Give each state of an operator a name of its own.');
    }
    if (other !== undefined) throw this.#refuse(name, `its id ${id} is that of ${other}`, 'Rename one of the two.');
    this.takenIds.set(id, `state ${name} of operator ${this.operator}`);
    this.#declared.set(name, declarationOf(descriptor, id));
    this.#descriptors.push(descriptor);
    return id;
  }

  #checkTtl(name: string, { ttl }: StateOptions): void {
    if (ttl === undefined || (Number.isFinite(ttl.ms) && ttl.ms > 0)) return;
    throw this.#refuse(name, `its TTL is ${show(ttl.ms)}`, 'A TTL is a number of milliseconds above 0; leave it out for state that never expires.');
  }

  #refuse(state: string, problem: string, advice: string): Error {
    return errors.stateRegistration({ state, operator: this.operator, problem, advice });
  }
}

function declarationOf(descriptor: StateDescriptor, id: number): StateDeclaration {
  const { kind, codec } = descriptor;
  const common = { kind, codec: codec.id, version: codec.version, id };
  return descriptor.kind === 'map' ? { ...common, keyCodec: descriptor.keyCodec.id, keyVersion: descriptor.keyCodec.version } : common;
}
