import type { WeirError } from '@weir/core';
import { errors, type StoreAct } from '../errors.js';

/**
 * What RocksDB says, told apart by what the receiver must do. The binding gives a status as text with a coarse code.
 *
 * Order matters: RocksDB reports as corruption whatever kept it from reading a file that must be there, be it too few file descriptors.
 * So what the machine lacks is looked for first; a good store is not thrown away for it.
 */
const LACKING = /No space left on device|Disk quota exceeded|Too many open files|Cannot allocate memory/i;
const FORBIDDEN = /Permission denied|Operation not permitted|Read-only file system|Not a directory|exists but is not a directory/i;

/** True if another owner, in this process or another, holds the lock of the database. */
export const isLocked = (thrown: unknown): boolean => codeOf(thrown) === 'LEVEL_LOCKED';

/** For `open`, and for the probe of `destroy`: the directory was there and writable just before. */
export function openFailure(act: StoreAct, path: string, thrown: unknown): WeirError {
  const found = textOf(thrown);
  if (LACKING.test(found)) return errors.unavailable({ act, path, found }, thrown);
  if (FORBIDDEN.test(found)) return errors.directoryUnusable({ path, found }, thrown);
  // A file that is missing, of another format, or unreadable: whatever it is, the changelog can replace it.
  return errors.damaged({ act, path, found }, thrown);
}

export function readFailure(act: StoreAct, path: string, thrown: unknown): WeirError {
  const found = textOf(thrown);
  return isDamage(thrown, found) ? errors.damaged({ act, path, found }, thrown) : errors.readFailed({ act, path, found }, thrown);
}

export function writeFailure(act: StoreAct, path: string, thrown: unknown): WeirError {
  const found = textOf(thrown);
  return isDamage(thrown, found) ? errors.damaged({ act, path, found }, thrown) : errors.writeFailed({ act, path, found }, thrown);
}

/** For calls on the directory itself. */
export function directoryFailure(act: StoreAct, path: string, thrown: unknown): WeirError {
  const found = textOf(thrown);
  const code = codeOf(thrown) ?? '';
  if (['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(code)) return errors.unavailable({ act, path, found }, thrown);
  return errors.directoryUnusable({ path, found }, thrown);
}

const isDamage = (thrown: unknown, found: string): boolean => codeOf(thrown) === 'LEVEL_CORRUPTION' && !LACKING.test(found);

const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown)).trim();

const codeOf = (thrown: unknown): string | undefined =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
