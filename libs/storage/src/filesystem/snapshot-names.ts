import type { StoreScope } from '@weir/core';
import { storeName } from '../store-path.js';

/**
 * Names of the files that a store's snapshots are made of. The one home of these names:
 *
 *   <application id>/<incarnation>/<sub-topology>-<task>/<writer>-<n>.base          all state at some time
 *                                                       <writer>-<n>.delta-<level>  changes; level 0 is one checkpoint's
 *
 * A writer is one opening of the store, by an id that nobody else has; n counts its files. So no two files ever have one name, whoever
 * else believes to own the task (P3).
 */
export const snapshotDirectory = (scope: StoreScope): string => storeName(scope);

/** Base files count as the highest level: everything is below them. */
export const BASE = Infinity;

const FILE = /^[0-9a-f]{32}-\d+\.(?:base|delta-(\d{1,2}))$/;

export const snapshotFileName = (writer: string, n: number, level: number): string => `${writer}-${n}.${level === BASE ? 'base' : `delta-${level}`}`;

/** Undefined for a name that is not one of ours. */
export function levelOf(name: string): number | undefined {
  const found = FILE.exec(name);
  if (found === null) return undefined;
  return found[1] === undefined ? BASE : Number(found[1]);
}
