import { defineErrors, error } from '@weir/core';

/** What a store was doing when something went wrong: words that complete "while ...". */
export type StoreAct = 'opening' | 'reading' | 'scanning' | 'writing' | 'destroying';

type Failure = {
  readonly act: StoreAct;
  readonly path: string;
  /** What the file system or RocksDB said. */
  readonly found: string;
};

/** What was done with a snapshot's file: words that complete "while ...". */
export type SnapshotAct = 'creating' | 'reading' | 'listing' | 'deleting';

/** Every error of this lib. `path` is a store's directory, or its name on the heap. */
export const errors = defineErrors({
  locked: error<{ readonly act: StoreAct; readonly path: string; readonly waitedMs: number }>({
    code: 'STATE_LOCKED',
    kind: 'retry',
    message: ({ act, path, waitedMs }) =>
      `While ${act} the store ${path}: another owner holds its lock, and kept it for the ${waitedMs} ms waited.`,
    advice: 'End the other process that uses this state directory (a paused one holds the lock, too), or give each process its own.',
    example: { act: 'opening', path: '/data/app/0/0-1', waitedMs: 10_000 },
  }),
  damaged: error<Failure>({
    code: 'STATE_DAMAGED',
    kind: 'rebuild-state',
    message: ({ act, path, found }) => `While ${act} the store ${path}: its files cannot be trusted: ${found}.`,
    advice: 'The store is thrown away and rebuilt from its changelog. If this comes back, check the disk.',
    example: { act: 'reading', path: '/data/app/0/0-1', found: 'Corruption: block checksum mismatch' },
  }),
  directoryUnusable: error<{ readonly path: string; readonly found: string }>({
    code: 'STATE_DIR_UNUSABLE',
    kind: 'invalid',
    message: ({ path, found }) => `The state directory ${path} must be a directory that this process may write to: ${found}.`,
    advice: 'Create it, give the user of this process the right to write there, or set another directory.',
    example: { path: '/data', found: "EACCES: permission denied, mkdir '/data'" },
  }),
  unavailable: error<Failure>({
    code: 'STATE_UNAVAILABLE',
    kind: 'retry',
    message: ({ act, path, found }) => `While ${act} the store ${path}: the machine lacks what it takes just now: ${found}.`,
    advice: 'Free disk space, or raise the limit that is named; it is tried again.',
    example: { act: 'opening', path: '/data/app/0/0-1', found: 'IO error: No space left on device' },
  }),
  readFailed: error<Failure>({
    code: 'STATE_READ_FAILED',
    kind: 'restart-task',
    message: ({ act, path, found }) => `While ${act} the store ${path}: ${found}.`,
    advice: 'The task starts again from its last commit. If this comes back, check the disk that holds the state directory.',
    example: { act: 'reading', path: '/data/app/0/0-1', found: 'IO error: Input/output error' },
  }),
  writeFailed: error<Failure>({
    code: 'STATE_WRITE_FAILED',
    kind: 'restart-task',
    message: ({ act, path, found }) => `While ${act} the store ${path}: ${found}.`,
    advice: 'The changelog has the batch, and the task starts again from its last commit. If the disk is full, free some; else check it.',
    example: { act: 'writing', path: '/data/app/0/0-1', found: 'IO error: No space left on device' },
  }),
  bindingMissing: error<{ readonly platform: string; readonly found: string }>({
    code: 'STATE_BACKEND_UNAVAILABLE',
    kind: 'invalid',
    message: ({ platform, found }) =>
      `The native part of the rocksdb state backend, built for linux-x64 (glibc) and darwin-arm64, did not load on ${platform}: ${found}.`,
    advice: 'Use the memory state backend on this platform (STATE_BACKEND=memory), or a platform of the two.',
    example: { platform: 'linux-arm64 (glibc)', found: 'No native build was found' },
  }),
  optionInvalid: error<{ readonly option: string; readonly expected: string; readonly actual: string }>({
    code: 'STATE_OPTION_INVALID',
    kind: 'invalid',
    message: ({ option, expected, actual }) => `The option ${option} of the state backend takes ${expected}, and ${actual} came.`,
    advice: 'Correct the option.',
    example: { option: 'memoryBudgetBytes', expected: 'a whole number of bytes above 0', actual: '-1' },
  }),
  budgetTooSmall: error<{ readonly budgetBytes: number; readonly maxStores: number; readonly leastBytes: number }>({
    code: 'STATE_BUDGET_TOO_SMALL',
    kind: 'invalid',
    message: ({ budgetBytes, maxStores, leastBytes }) =>
      `A memoryBudgetBytes of ${budgetBytes} divided among ${maxStores} stores leaves each below the ${leastBytes} bytes that one takes.`,
    advice: ({ maxStores, leastBytes }) => `Set memoryBudgetBytes to ${maxStores * leastBytes} or more, or lower the parallelism.`,
    example: { budgetBytes: 1_000_000, maxStores: 8, leastBytes: 4_194_304 },
  }),
  scopeInvalid: error<{ readonly part: string; readonly expected: string; readonly actual: string }>({
    code: 'STATE_SCOPE_INVALID',
    kind: 'invalid',
    message: ({ part, expected, actual }) => `The ${part} of a store names its directory and must be ${expected}, and ${actual} came.`,
    advice: 'Set an application id of the allowed characters.',
    example: { part: 'applicationId', expected: '1 to 100 of the characters A-Z a-z 0-9 . _ -, neither "." nor ".."', actual: '"../etc"' },
  }),
  tooManyStores: error<{ readonly path: string; readonly maxStores: number }>({
    code: 'STATE_TOO_MANY_STORES',
    kind: 'internal',
    message: ({ path, maxStores }) =>
      `Opening the store ${path} would make more than the ${maxStores} among which the memory budget was divided.`,
    advice: 'Please report this as a bug of Weir.',
    example: { path: '/data/app/0/0-1', maxStores: 4 },
  }),
  snapshotNameInvalid: error<{ readonly name: string; readonly expected: string }>({
    code: 'SNAPSHOT_NAME_INVALID',
    kind: 'invalid',
    message: ({ name, expected }) => `The name of a snapshot must be ${expected}, and ${JSON.stringify(name)} came.`,
    advice: 'Use another name.',
    example: { name: '../x', expected: '1 to 8 parts joined by "/"' },
  }),
  snapshotMissing: error<{ readonly path: string }>({
    code: 'SNAPSHOT_MISSING',
    kind: 'invalid',
    message: ({ path }) => `While reading the snapshot ${path}: there is no such file, and no other place holds what was in it: not the changelog either.`,
    advice:
      'See whether the directory is the one that the job had, and mounted; else bring the file back from a copy. If it is lost, the job must start anew, with another applicationId.',
    example: { path: '/data/snapshots/app/0/0-1/5f0c.base' },
  }),
  snapshotDamaged: error<{ readonly path: string; readonly found: string }>({
    code: 'SNAPSHOT_DAMAGED',
    kind: 'invalid',
    message: ({ path, found }) => `While reading the snapshot ${path}: it is not as it was written: ${found}. No other place holds what was in it: not the changelog either.`,
    advice: 'Bring the file back from a copy, and check the disk. If there is none, the job must start anew, with another applicationId.',
    example: { path: '/data/snapshots/app/0/0-1/5f0c.base', found: 'the checksum of the block at byte 28 is 1f, and its bytes give 2e' },
  }),
  snapshotFailed: error<{ readonly act: SnapshotAct; readonly path: string; readonly found: string }>({
    code: 'SNAPSHOT_FAILED',
    kind: 'restart-task',
    message: ({ act, path, found }) => `While ${act} the snapshot ${path}: ${found}.`,
    advice: 'The task starts again from its last commit. If this comes back, check the disk that holds the snapshots; it must support hard links.',
    example: { act: 'creating', path: '/data/snapshots/app/0/0-1/5f0c.base', found: 'EIO: i/o error, fsync' },
  }),
  snapshotUnavailable: error<{ readonly act: SnapshotAct; readonly path: string; readonly found: string }>({
    code: 'SNAPSHOT_UNAVAILABLE',
    kind: 'retry',
    message: ({ act, path, found }) => `While ${act} the snapshot ${path}: the machine lacks what it takes just now: ${found}.`,
    advice: 'Free disk space, or raise the limit that is named; it is tried again.',
    example: { act: 'creating', path: '/data/snapshots/app/0/0-1/5f0c.base', found: 'ENOSPC: no space left on device, write' },
  }),
  snapshotsBehind: error<{ readonly path: string; readonly files: number }>({
    code: 'SNAPSHOTS_BEHIND',
    kind: 'restart-task',
    message: ({ path, files }) => `While creating a snapshot in ${path}: ${files} files lie there, for putting them together, or deleting what is no longer needed, has failed again and again.`,
    advice: 'See the cause. Free disk space, or mend the disk; the task starts again from its last commit.',
    example: { path: '/data/snapshots/app/0/0-1', files: 512 },
  }),
  closed: error<{ readonly act: StoreAct; readonly path: string }>({
    code: 'STATE_CLOSED',
    kind: 'internal',
    message: ({ act, path }) => `While ${act} the store ${path}: it is closed.`,
    advice: 'Please report this as a bug of Weir.',
    example: { act: 'reading', path: '/data/app/0/0-1' },
  }),
  stillOpen: error<{ readonly path: string }>({
    code: 'STATE_STILL_OPEN',
    kind: 'internal',
    message: ({ path }) => `Destroying the store ${path} needs it closed, and this process has it open.`,
    advice: 'Please report this as a bug of Weir.',
    example: { path: '/data/app/0/0-1' },
  }),
  keyMissing: error<{ readonly path: string; readonly row: number }>({
    code: 'STATE_KEY_MISSING',
    kind: 'internal',
    message: ({ path, row }) => `A batch for the store ${path} has a null key in row ${row}; nothing of it was written.`,
    advice: 'Please report this as a bug of Weir.',
    example: { path: '/data/app/0/0-1', row: 17 },
  }),
  positionInvalid: error<{ readonly path: string; readonly field: string; readonly expected: string; readonly actual: string }>({
    code: 'STATE_POSITION_INVALID',
    kind: 'internal',
    message: ({ path, field, expected, actual }) =>
      `The ${field} of a position for the store ${path} must be ${expected}, and ${actual} came; nothing was written.`,
    advice: 'Please report this as a bug of Weir.',
    example: { path: '/data/app/0/0-1', field: 'offset', expected: 'a whole number from 0', actual: '-1' },
  }),
  positionRegressed: error<{ readonly path: string; readonly held: string; readonly given: string }>({
    code: 'STATE_POSITION_REGRESSED',
    kind: 'internal',
    message: ({ path, held, given }) =>
      `The store ${path} holds everything up to ${held} of its changelog, and a batch would set it to ${given}; nothing was written.`,
    advice: 'Please report this as a bug of Weir.',
    example: { path: '/data/app/0/0-1', held: 'offset 20 of topic id aaaa', given: 'offset 19 of topic id aaaa' },
  }),
});
