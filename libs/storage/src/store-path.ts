import { join } from 'node:path';
import type { StoreScope } from '@weir/core';
import { errors } from './errors.js';

/** Where the stores of a backend lie: <dir>/<application id>/<incarnation>/<sub-topology>-<task>. The one home of these names. */
const APPLICATION_ID = /^[A-Za-z0-9._-]{1,100}$/;

/**
 * Name of a store below the state directory, with `/` between its parts.
 * @throws WeirError `invalid` if a part could lead out of the directory, or name another store's
 */
export function storeName(scope: StoreScope): string {
  const { applicationId } = scope;
  if (typeof applicationId !== 'string' || !APPLICATION_ID.test(applicationId) || applicationId === '.' || applicationId === '..') {
    throw errors.scopeInvalid({
      part: 'applicationId',
      expected: '1 to 100 of the characters A-Z a-z 0-9 . _ -, neither "." nor ".."',
      actual: JSON.stringify(applicationId) ?? typeof applicationId,
    });
  }
  const life = count('incarnation', scope.incarnation);
  return `${applicationId}/${life}/${count('subTopology', scope.subTopology)}-${count('task', scope.task)}`;
}

/** Directory of a store. @throws WeirError `invalid`, as `storeName` */
export const storePath = (dir: string, scope: StoreScope): string => join(dir, ...storeName(scope).split('/'));

/**
 * Where a store is moved to before its files are removed one by one. A crash in the middle of that leaves no half of a store in
 * the place where the next open looks: RocksDB could take such a half for a smaller store.
 */
export const destroyedPath = (path: string): string => `${path}.destroyed`;

function count(part: string, value: number): string {
  if (Number.isSafeInteger(value) && value >= 0) return String(value);
  throw errors.scopeInvalid({ part, expected: 'a whole number from 0', actual: String(value) });
}
