import type { WeirError } from '@weir/core';
import { errors, type SnapshotAct } from '../errors.js';

const LACKING = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'];
const FORBIDDEN = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'];

/** What the file system says of a snapshot's file, told apart by what the receiver must do. */
export function snapshotFailure(act: SnapshotAct, path: string, thrown: unknown): WeirError {
  const found = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown) ?? '';
  if (code === 'ENOENT' && act === 'reading') return errors.snapshotMissing({ path }, thrown);
  if (LACKING.includes(code)) return errors.snapshotUnavailable({ act, path, found }, thrown);
  if (FORBIDDEN.includes(code)) return errors.directoryUnusable({ path, found }, thrown);
  return errors.snapshotFailed({ act, path, found }, thrown);
}

export const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException | undefined)?.code;
