import type { KeyedCollection } from './keyed-collection.js';
import type { ListState } from './list-state.js';
import type { Sequence } from './sequence.js';

/** A list whose elements have the numbers that they drew for sub-keys, so their order is that of their bytes. */
export class TableListState<T> implements ListState<T> {
  constructor(
    private readonly elements: KeyedCollection,
    private readonly sequence: Sequence,
  ) {}

  add(value: T): void {
    this.elements.set(this.sequence.draw(), value);
  }

  addAll(values: Iterable<T>): void {
    for (const value of values) this.add(value);
  }

  update(values: Iterable<T>): void {
    const replacement = [...values]; // it may be made of the list itself
    this.elements.clear();
    this.addAll(replacement);
  }

  get(): T[] {
    const values: T[] = [];
    for (const { value } of this.elements.entries()) values.push(value as T);
    return values;
  }

  clear(): void {
    this.elements.clear();
  }
}
