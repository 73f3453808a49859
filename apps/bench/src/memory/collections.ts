import {
  float64, int32, type JobDefinition, type KeyedContext, KeyedFilter, type ListState, listState, type MapState, mapState, type StreamBuilder, topic, utf8,
} from '@weir/core';
import { INPUT, VALUE_BYTES } from './keyed-values.js';

/** What a record asks for. */
export const PUT = 0;
export const ITERATE = 1;
export const ADD = 2;
export const GET = 3;

/** One key with a map and a list that are as large as asked for. */
export class CollectionsJob implements JobDefinition {
  constructor(private readonly entries: number) {}

  define(streams: StreamBuilder): void {
    streams
      .source('operations', topic(INPUT, { key: utf8, value: float64 }))
      .keyBy(utf8, () => 'one', { alreadyPartitioned: { partitioner: 'murmur2' } })
      .filter('collections', () => new Collections(this.entries));
  }
}

class Collections extends KeyedFilter<string, number> {
  #map!: MapState<number, string>;
  #list!: ListState<number>;
  #put = 0;

  constructor(private readonly entries: number) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    this.#map = context.state(mapState('map', int32, utf8));
    this.#list = context.state(listState('list', float64));
  }

  override filter(operation: number): boolean {
    if (operation === PUT) this.#map.put(this.#put, `${this.#put++}`.padEnd(VALUE_BYTES, '.'));
    else if (operation === ADD) this.#list.add(1);
    else if (operation === ITERATE) this.#check('entries of the map', this.#countMap());
    else this.#check('elements of the list', this.#list.get().length);
    return false;
  }

  #countMap(): number {
    let count = 0;
    for (const [key, value] of this.#map.entries()) if (value.startsWith(`${key}.`)) count++;
    return count;
  }

  #check(what: string, found: number): void {
    if (found !== this.entries) throw new Error(`${found} ${what} were found, and there are ${this.entries}.`);
  }
}
