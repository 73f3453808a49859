import { errors } from '../errors/errors.js';
import type { ValueStateDescriptor } from './descriptors.js';
import { type KeyTable, MAX_STATES_PER_TABLE } from './key-table.js';
import type { StateDeclaration } from './state-catalogue.js';
import { stateIdOf } from './stored-key.js';
import type { ValueState } from './value-state.js';

/**
 * The states that one operator declares in `open`, checked as they come. After `seal` the set is fixed: the table of keys lays its
 * entries out by it, and a state that came later would be missing in every commit before.
 */
export class KeyedStateRegistry {
  readonly #declared = new Map<string, StateDeclaration>();
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

  seal(): void {
    this.#sealed = true;
  }

  /** @throws WeirError `invalid` STATE_REGISTRATION */
  value<T>(descriptor: ValueStateDescriptor<T>): ValueState<T> {
    const { name, codec } = descriptor;
    if (this.#sealed) throw this.#refuse(name, 'it is registered after open', 'Register every state in open.');
    if (this.#declared.has(name)) throw this.#refuse(name, 'it is registered twice', 'Register it once, in open, and keep the handle in a field.');
    if (this.table.stateCount >= MAX_STATES_PER_TABLE) {
      throw this.#refuse(name, `the operators behind one keyBy have at most ${MAX_STATES_PER_TABLE} states`, 'Keep several values in one state, or call keyBy once more.');
    }
    const id = stateIdOf(this.operator, name);
    const other = this.takenIds.get(id);
    if (other !== undefined) throw this.#refuse(name, `its id ${id} is that of ${other}`, 'Rename one of the two.');
    this.takenIds.set(id, `state ${name} of operator ${this.operator}`);
    this.#declared.set(name, { kind: 'value', codec: codec.id, version: codec.version, id });
    const ordinal = this.table.declare({ stateId: id, operator: this.operator, name, codec: codec });
    return new TableValueState(this.table, ordinal, name, this.operator);
  }

  #refuse(state: string, problem: string, advice: string): Error {
    return errors.stateRegistration({ state, operator: this.operator, problem, advice });
  }
}

class TableValueState<T> implements ValueState<T> {
  constructor(
    private readonly table: KeyTable,
    private readonly ordinal: number,
    private readonly name: string,
    private readonly operator: string,
  ) {}

  value(): T | undefined {
    const entry = this.table.current;
    if (entry === undefined) throw this.#outsideKey();
    return entry.values[this.ordinal] as T | undefined;
  }

  update(value: T): void {
    const entry = this.table.current;
    if (entry === undefined) throw this.#outsideKey();
    if (value === undefined) throw this.#undefinedValue();
    this.table.write(entry, this.ordinal, value);
  }

  clear(): void {
    const entry = this.table.current;
    if (entry === undefined) throw this.#outsideKey();
    if (entry.values[this.ordinal] !== undefined) this.table.write(entry, this.ordinal, undefined);
  }

  #outsideKey(): Error {
    return errors.stateOutsideKey({ state: this.name, operator: this.operator });
  }

  #undefinedValue(): Error {
    return errors.stateRegistration({ state: this.name, operator: this.operator, problem: 'it was updated with undefined', advice: 'Call clear() to remove a value.' });
  }
}
