import type { StatePlace } from '../states/states-run.js';
import { median } from './figures.js';
import { table, whole } from './table.js';

/** Nanoseconds of one operation, of all runs. */
export interface StateFigures {
  readonly title: string;
  readonly nanoseconds: Readonly<Record<StatePlace, number[]>>;
}

const HEAD = ['operation', 'plain Map ns', 'memory ns', 'of Map', 'RocksDB, cached ns', 'of Map', 'RocksDB, 1 in 10 cached ns', 'of Map'];

/** A row per operation: what it costs in each place, and how many times the plain program that is. Lines. */
export function statesReport(figures: readonly StateFigures[]): string[] {
  return table(
    HEAD,
    figures.map(({ title, nanoseconds }) => {
      const plain = median(nanoseconds.plain);
      const places = (['memory', 'rocksdb', 'rocksdb-few-cached'] as const).map((place) => median(nanoseconds[place]));
      return [title, whole(plain), ...places.flatMap((each) => [whole(each), (each / plain).toFixed(1)])];
    }),
  );
}
