import { constants } from 'node:fs';
import { access, open, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Clock, type InstanceIds, isWeirError, type TakenInstance } from '@weir/core';
import { makeDirectory } from '../directories.js';
import { errors } from '../errors.js';
import { checkPath } from '../option-checks.js';
import { directoryFailure, isLocked, openFailure } from '../rocksdb/rocksdb-failures.js';
import { type DatabaseHandle, type DatabaseOptions, loadBinding, type RocksdbBinding } from '../rocksdb/rocksdb-binding.js';

/**
 * Names of replicas, kept in a state directory: a process that is killed and starts again beside its state goes by the same name, so that
 * the group knows it at once, instead of waiting until the dead one's session ends (ports/instance-ids.ts).
 *
 *   <dir>/<application id>/instances/<n>.id      the name, in ASCII; made once, and never changed
 *   <dir>/<application id>/instances/<n>.lock/   an empty RocksDB, whose LOCK is held by the process that goes by the name
 *
 * A process takes the first n, from 0, whose lock is free. So one that is alone gets 0 always, and of several on one directory each has its
 * own. Why a database for a lock: Node has no file locks, and RocksDB's is the one that the stores are locked by: the system takes it from
 * a process that dies, and it holds between containers that share the directory. Where the binding cannot be loaded there are no names.
 *
 * Invariants
 *   D1. A name is read and written by the holder of its lock alone.
 *   D2. A name is there whole or not at all: it is written beside its place, made durable, and moved there.
 *   D3. What is no name, a file that was cut or damaged, is replaced: the dead one's session is then waited for, and nothing worse.
 */
export function instanceDirectory(dir: string, clock: Clock): InstanceIds {
  return {
    take: async (applicationId) => {
      const binding = bindingOrNone();
      return binding === undefined ? undefined : takeFirst(binding, join(dir, applicationId, 'instances'), clock);
    },
  };
}

/** The same as an option of backends without a directory of their own. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function instancesIn(dir: string | undefined, clock: Clock): { readonly instances?: InstanceIds } {
  return dir === undefined ? {} : { instances: instanceDirectory(resolve(checkPath('instanceDir', dir)), clock) };
}

/** Processes on one directory: far more than a machine has room for. */
const MOST_INSTANCES = 1_000;
const NAME = /^[0-9a-f]{32}$/;
/** The least that the binding takes: nothing is ever written. */
const LOCK_OPTIONS: DatabaseOptions = {
  createIfMissing: true,
  compaction: 'level',
  memtableMemoryBudget: 256 * 1024,
  compression: false,
  walCompression: false,
  cacheSize: 64 * 1024,
  cacheIndexAndFilterBlocks: true,
  optimize: 'point-lookup',
  parallelism: 2,
};

function bindingOrNone(): RocksdbBinding | undefined {
  try {
    return loadBinding();
  } catch (thrown) {
    if (isWeirError(thrown, 'invalid')) return undefined;
    throw thrown;
  }
}

async function takeFirst(binding: RocksdbBinding, dir: string, clock: Clock): Promise<TakenInstance> {
  try {
    await makeDirectory(dir);
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw directoryFailure('opening', dir, cause);
  }
  for (let n = 0; n < MOST_INSTANCES; n++) {
    const lock = await tryLock(binding, join(dir, `${n}.lock`));
    if (lock === undefined) continue;
    try {
      return { instanceId: await nameIn(join(dir, `${n}.id`), clock), close: lock };
    } catch (cause) {
      await lock();
      throw directoryFailure('opening', dir, cause);
    }
  }
  throw errors.directoryUnusable({ path: dir, found: `${MOST_INSTANCES} processes use it already` });
}

/** What lets go of the lock; undefined if another process holds it. */
async function tryLock(binding: RocksdbBinding, path: string): Promise<(() => Promise<void>) | undefined> {
  const opened = await openDatabase(binding, path).catch(async (thrown: unknown) => {
    if (!isWeirError(thrown, 'rebuild-state')) throw thrown;
    await rm(path, { recursive: true, force: true }); // a process died while it made it: nothing was in it
    return openDatabase(binding, path);
  });
  if (opened === undefined) return undefined;
  let closed: Promise<void> | undefined;
  return () => (closed ??= new Promise((resolve) => binding.db_close(opened, () => resolve())));
}

function openDatabase(binding: RocksdbBinding, path: string): Promise<DatabaseHandle | undefined> {
  const db = binding.db_init(path);
  return new Promise((resolve, reject) => {
    binding.db_open(db, LOCK_OPTIONS, (cause) => {
      if (cause === null) resolve(db);
      else if (isLocked(cause)) resolve(undefined);
      else reject(openFailure('opening', path, cause));
    });
  });
}

/** D1, D2, D3. */
async function nameIn(path: string, clock: Clock): Promise<string> {
  const kept = await readFile(path, 'latin1').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    return '';
  });
  if (NAME.test(kept)) return kept;
  const name = clock.newId();
  const beside = `${path}.new`;
  const file = await open(beside, 'w');
  try {
    await file.writeFile(name, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  return name;
}
