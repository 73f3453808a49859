import { type FileHandle, link, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, isSnapshotName, SNAPSHOT_NAME_RULE, type SnapshotListing, type SnapshotStore } from '@weir/core';
import { makeDirectory } from '../directories.js';
import { errors, type SnapshotAct } from '../errors.js';
import { codeOf, snapshotFailure } from './snapshot-failures.js';

/**
 * A SnapshotStore below a directory, which may be shared by machines, on a filesystem that supports hard links.
 *
 * A creation, in this order (N1, N2, N3):
 *   1. make the directories, and make their entries durable
 *   2. write the content to `<name>~<id>`, a name that nobody else has and no snapshot may have; make it durable
 *   3. link it to its name, which fails if that is taken: of all creators one wins, and what it links is whole
 *   4. remove the other name, and make the directory durable
 *
 * A process that dies on the way leaves `<name>~<id>`, which `list` calls unfinished. Nobody else removes it by guess: its writer may live.
 */
export class FilesystemSnapshots implements SnapshotStore {
  /** Directories that were made durable by this process. */
  readonly #made = new Set<string>();

  /** @param dir absolute; made when something is created */
  constructor(
    readonly dir: string,
    private readonly clock: Clock,
  ) {}

  async create(name: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<boolean> {
    const path = this.#pathOf(name);
    if (await io('creating', path, () => exists(path))) return false;
    await io('creating', path, () => this.#makeDurable(dirname(path))); // 1
    const unfinished = `${path}~${this.clock.newId()}`;
    try {
      await write(unfinished, path, content); // 2
      return await io('creating', path, () => publish(unfinished, path)); // 3, 4
    } catch (thrown) {
      await rm(unfinished, { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  async *read(name: string): AsyncGenerator<Buffer> {
    const path = this.#pathOf(name);
    const file = await io('reading', path, () => open(path, 'r'));
    try {
      for (;;) {
        const chunk = Buffer.allocUnsafe(READ_BYTES);
        const { bytesRead } = await io('reading', path, () => file.read(chunk, 0, READ_BYTES));
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async list(directory: string): Promise<SnapshotListing> {
    const path = this.#pathOf(directory);
    const entries = await io('listing', path, () => readdir(path, { withFileTypes: true }).catch(ifMissing([])));
    const names = entries.filter((entry) => entry.isFile()).map((entry) => `${directory}/${entry.name}`);
    names.sort();
    return { names: names.filter(isSnapshotName), unfinished: names.filter((name) => UNFINISHED.test(name)) };
  }

  async delete(name: string): Promise<void> {
    const [, of = name] = UNFINISHED.exec(name) ?? [];
    const path = join(dirname(this.#pathOf(of)), name.slice(name.lastIndexOf('/') + 1));
    await io('deleting', path, () => rm(path, { force: true }));
  }

  #pathOf(name: string): string {
    if (!isSnapshotName(name)) throw errors.snapshotNameInvalid({ name, expected: SNAPSHOT_NAME_RULE });
    return join(this.dir, ...name.split('/'));
  }

  /** Step 1: a directory, and the entries of it and of those above it. */
  async #makeDurable(directory: string): Promise<void> {
    if (this.#made.has(directory)) return;
    await makeDirectory(directory);
    for (let at = directory; at.length > this.dir.length; at = dirname(at)) await syncDirectory(dirname(at));
    this.#made.add(directory);
  }
}

const READ_BYTES = 256 * 1024;
const UNFINISHED = /^(.*)~[0-9a-f]{32}$/;

/** Step 2. What `content` throws comes out as it is. */
async function write(unfinished: string, path: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const file = await io('creating', path, () => open(unfinished, 'wx'));
  try {
    for await (const chunk of content) await io('creating', path, () => writeAll(file, chunk));
    await io('creating', path, () => file.sync());
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
}

/** Steps 3 and 4. False if the name is taken. */
async function publish(unfinished: string, path: string): Promise<boolean> {
  const created = await link(unfinished, path).then(
    () => true,
    (cause: unknown) => {
      if (codeOf(cause) === 'EEXIST') return false;
      throw cause;
    },
  );
  await rm(unfinished, { force: true });
  if (created) await syncDirectory(dirname(path));
  return created;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true).catch(ifMissing(false));

const ifMissing =
  <T>(nothing: T) =>
  (cause: unknown): T => {
    if (codeOf(cause) === 'ENOENT') return nothing;
    throw cause;
  };

/** Does what may fail as file systems do. @throws WeirError */
async function io<T>(act: SnapshotAct, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw snapshotFailure(act, path, cause);
  }
}
