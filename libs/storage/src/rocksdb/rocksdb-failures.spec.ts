import { describe, expect, it } from '@jest/globals';
import { directoryFailure, isLocked, openFailure, readFailure, writeFailure } from './rocksdb-failures.js';

const said = (code: string | undefined, message: string): Error => Object.assign(new Error(message), code === undefined ? {} : { code });

const FULL = said('LEVEL_IO_ERROR', 'IO error: No space left on device: While appending to file: /d/000023.sst: No space left on device');
const MISSING = said('LEVEL_IO_ERROR', 'IO error: No such file or directory: While opening a file: /d/MANIFEST-000005');
const READ_ONLY = said('LEVEL_IO_ERROR', 'IO error: while open a file for lock: /d/LOCK: Read-only file system');
const CHECKSUM = said('LEVEL_CORRUPTION', 'Corruption: block checksum mismatch: stored = 36526, computed = 37001  in /d/000028.sst');
const DESCRIPTORS = said('LEVEL_CORRUPTION', 'Corruption: IO error: While open a file for random read: /d/000028.sst: Too many open files');
const NO_CODE = said(undefined, 'Not implemented: Unknown block based table format version');

/** The texts are RocksDB's own, as they came in experiments with a full disk, removed and damaged files, and too few descriptors. */
describe('what RocksDB says, by what to do about it', () => {
  it.each([
    [CHECKSUM, 'rebuild-state', 'STATE_DAMAGED'],
    [MISSING, 'rebuild-state', 'STATE_DAMAGED'],
    [NO_CODE, 'rebuild-state', 'STATE_DAMAGED'],
    [FULL, 'retry', 'STATE_UNAVAILABLE'],
    [DESCRIPTORS, 'retry', 'STATE_UNAVAILABLE'],
    [READ_ONLY, 'invalid', 'STATE_DIR_UNUSABLE'],
  ])('at an open: %s', (thrown, kind, code) => {
    expect(openFailure('opening', '/d', thrown)).toMatchObject({ kind, code, cause: thrown });
  });

  it.each([
    [CHECKSUM, 'rebuild-state', 'STATE_DAMAGED'],
    [DESCRIPTORS, 'restart-task', 'STATE_READ_FAILED'],
    [MISSING, 'restart-task', 'STATE_READ_FAILED'],
  ])('at a read: %s', (thrown, kind, code) => {
    expect(readFailure('reading', '/d', thrown)).toMatchObject({ kind, code, cause: thrown });
  });

  it.each([
    [CHECKSUM, 'rebuild-state', 'STATE_DAMAGED'],
    [FULL, 'restart-task', 'STATE_WRITE_FAILED'],
    [MISSING, 'restart-task', 'STATE_WRITE_FAILED'],
  ])('at a write: %s', (thrown, kind, code) => {
    expect(writeFailure('writing', '/d', thrown)).toMatchObject({ kind, code, cause: thrown });
  });

  it.each([
    ['ENOSPC', 'retry'],
    ['EMFILE', 'retry'],
    ['EACCES', 'invalid'],
    ['EROFS', 'invalid'],
    ['ENOTDIR', 'invalid'],
  ])('at a call on the directory: %s', (code, kind) => {
    expect(directoryFailure('opening', '/d', said(code, `${code}: from the file system`))).toMatchObject({ kind });
  });

  it('knows a lock by its code alone', () => {
    expect(isLocked(said('LEVEL_LOCKED', 'IO error: lock hold by current process'))).toBe(true);
    expect(isLocked(FULL)).toBe(false);
    expect(isLocked(undefined)).toBe(false);
  });
});
