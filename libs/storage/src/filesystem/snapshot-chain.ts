import { type Clock, type RecordColumns, type SnapshotReference, type SnapshotStore, type StateSnapshots } from '@weir/core';
import { errors } from '../errors.js';
import { writeBase, writeChanges, writeMerged } from './snapshot-content.js';
import { columnsOf, readBlocks } from './snapshot-file.js';
import { BASE, levelOf, snapshotFileName } from './snapshot-names.js';

/**
 * The snapshots of one store, while one owner has it open: a base and the changes since, in files that are written once.
 *
 *   files of a snapshot, oldest first:   base   delta-2   delta-1 delta-1   delta-0 delta-0 delta-0
 *                                         |        |          |                \ one per checkpoint that changed anything
 *                                         |        +----------+--- 16 of the level below, one behind the other
 *                                         +----------------------- all of the heap; what was before it is no longer needed
 *
 * A checkpoint writes its own changes alone, so it costs what it changed. Beside the checkpoints, one housekeeping at a time:
 *   1. delete what no snapshot that is retained needs
 *   2. once the deltas are as large as the base, write a new base from the heap: each byte of changes pays for at most two of a base
 *   3. else put 16 deltas of a level together: each byte is copied once a level, and a snapshot of n changes has 16 log16 n files
 *
 * A base is written while the heap goes on changing, block by block, so it holds no state of one moment. It need not: a row of it is as the
 * row was when the base began, or newer; every change since then is in a delta behind it; and a delta says what a row is, not how it
 * changed. So reading it and them in order gives the state of the last delta (the fuzzy checkpoint of database systems).
 *
 * Invariants:
 * - C1. A file is in a reference only when it is durable (P1).
 * - C2. The deltas in a reference are all since its base began, in order. What housekeeping has made takes the place of what it was made of
 *       in the next snapshot, never in one that was taken before.
 * - C3. What the last `retained` committed references name, what is in the running one, and what housekeeping works on, is not deleted (P2).
 *       A name that a committed reference has dropped never comes back, and what lay there before the claim and is not in the record behind
 *       it never comes into one: so deletion is safe, however late, even in an owner that was fenced (P4).
 * - C4. Failures of housekeeping fail no checkpoint, until a snapshot has FILES_LIMIT files, or as many could not be deleted.
 */
export interface ChainParts {
  readonly store: SnapshotStore;
  /** Of the task's files. */
  readonly directory: string;
  /** For errors. */
  readonly pathOf: (name: string) => string;
  readonly clock: Clock;
  /** How many snapshots are kept, from 1. */
  readonly retained: number;
  /** What lay in the directory before the claim, unfinished creations included; whole names. */
  readonly found: readonly string[];
  /** The heap as it is: entries may be set and deleted while it is read. */
  readonly entries: () => Iterable<readonly [string, string]>;
  /** Takes rows that are read back. */
  readonly apply: (rows: RecordColumns) => Promise<void>;
}

interface ChainFile {
  readonly name: string;
  readonly level: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What housekeeping has made, and of what. */
interface Product {
  readonly file: ChainFile;
  readonly replaces: ReadonlySet<ChainFile>;
}

/** Deltas of one level that are put together. */
const MERGE_WIDTH = 16;
/** Bytes of deltas below which no new base is written: reading them back takes a moment. */
const SMALLEST_BASE_BYTES = 1024 * 1024;
/** Files of a snapshot beyond which a checkpoint waits for housekeeping. */
const FILES_LIMIT = 512;
/** Checkpoints that pass after housekeeping has failed, before it is tried again. */
const REST_CHECKPOINTS = 20;

export class SnapshotChain implements StateSnapshots {
  readonly #writer: string;
  #made = 0;
  /** Of the snapshot that is taken next, as far as it is known. */
  #files: ChainFile[] = [];
  /** Taken, and not settled: its epoch may be committed or not. */
  #pending: readonly string[] | undefined;
  /** Committed, the last one last. */
  #retained: (readonly string[])[] = [];
  /** Files that snapshots of former owners need, which are still to be retained for so many commits. */
  #inherited: { readonly names: readonly string[]; commits: number } = { names: [], commits: 0 };
  /** Whole names of files that this owner may delete once nothing needs them (C3). */
  readonly #known = new Set<string>();
  /** Of those, what could not be deleted at the last attempt. */
  #undeleted = 0;
  #tookOver = false;
  #product: Product | undefined;
  #work: Promise<void> | undefined;
  /** Why housekeeping failed last. */
  #failure: unknown;
  #rest = 0;
  #closed = false;

  constructor(private readonly parts: ChainParts) {
    this.#writer = parts.clock.newId();
  }

  async take(changes: RecordColumns): Promise<SnapshotReference> {
    this.#adopt();
    if (this.#isBehind) await this.#catchUp();
    if (changes.count > 0) {
      const file = await this.#create(0, (name) => writeChanges(this.parts.store, name, changes));
      this.#adopt(); // of what the heap was before this epoch: it stays behind the new base (C2)
      this.#files.push(this.#mine(file));
    }
    const files = this.#files.map(({ name }) => name);
    this.#pending = files;
    return { backend: 'filesystem', files, kept: this.#keptBeside(files), rows: this.#files.reduce((sum, { rows }) => sum + rows, 0) };
  }

  /** The epoch of the last `take` is committed, and its changes are in the heap (P2). */
  settle(): void {
    if (this.#pending === undefined) return;
    this.#retained = [...this.#retained, this.#pending].slice(-this.parts.retained);
    this.#pending = undefined;
    this.#inherited.commits--;
    this.#takeOverFound();
    this.#keepHouse();
  }

  /** Into an empty heap. False if it was ended. */
  async load({ files, kept }: SnapshotReference, goOn: (rows: number) => boolean): Promise<boolean> {
    const { pathOf, directory, store, apply } = this.parts;
    for (const name of files) {
      const path = pathOf(name);
      const level = levelOf(name);
      if (level === undefined) throw errors.snapshotDamaged({ path, found: 'the epoch record names it, and its name is not one of a snapshot' });
      let [rows, bytes] = [0, 0];
      for await (const block of readBlocks(path, store.read(`${directory}/${name}`))) {
        await apply(columnsOf(path, block));
        rows += block.rows;
        bytes = block.bytes;
        if (!goOn(block.rows) || this.#closed) return false;
      }
      this.#files.push({ name, level, rows, bytes });
    }
    this.#retained = [files];
    this.#inherited = { names: kept, commits: this.parts.retained - 1 };
    for (const name of [...files, ...kept]) this.#known.add(`${directory}/${name}`);
    this.#takeOverFound();
    this.#keepHouse();
    return true;
  }

  /** Once, when a committed record has said what is needed of it (C3). What is none of ours is left alone. */
  #takeOverFound(): void {
    if (this.#tookOver) return;
    this.#tookOver = true;
    const { found, directory } = this.parts;
    for (const name of found) if (levelOf(name.slice(directory.length + 1).replace(/~.*$/, '')) !== undefined) this.#known.add(name);
  }

  /** Ends housekeeping; what it was writing is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
  }

  async #create(level: number, write: (name: string) => Promise<{ readonly rows: number; readonly bytes: number }>): Promise<ChainFile> {
    const name = snapshotFileName(this.#writer, this.#made++, level);
    const written = await write(`${this.parts.directory}/${name}`);
    return { name, level, ...written };
  }

  /** From now on it may be deleted: called in one step with what makes it needed. */
  #mine(file: ChainFile): ChainFile {
    this.#known.add(`${this.parts.directory}/${file.name}`);
    return file;
  }

  /** C2. */
  #adopt(): void {
    const product = this.#product;
    if (product === undefined) return;
    this.#product = undefined;
    const at = this.#files.findIndex((file) => product.replaces.has(file));
    this.#files = this.#files.filter((file) => !product.replaces.has(file));
    this.#files.splice(at, 0, product.file);
  }

  get #isBehind(): boolean {
    return this.#files.length >= FILES_LIMIT || this.#undeleted >= FILES_LIMIT;
  }

  /** C4. @throws WeirError `restart-task` SNAPSHOTS_BEHIND */
  async #catchUp(): Promise<void> {
    for (let attempt = 0; attempt < 2 && this.#isBehind; attempt++) {
      await this.#work;
      this.#adopt();
      this.#rest = 0;
      this.#keepHouse();
      await this.#work;
      this.#adopt();
    }
    if (this.#isBehind) throw errors.snapshotsBehind({ path: this.parts.pathOf(''), files: this.#known.size }, this.#failure);
  }

  /** Names that are needed by what will be retained once the snapshot that is taken now is committed. */
  #keptBeside(files: readonly string[]): string[] {
    const older = this.parts.retained - 1;
    const own = older === 0 ? [] : this.#retained.slice(-older).flat();
    const inherited = this.#inherited.commits > 1 ? this.#inherited.names : [];
    return [...new Set([...own, ...inherited])].filter((name) => !files.includes(name));
  }

  // ---- housekeeping ----

  /** Begins a housekeeping unless one is under way. What it replaces is fixed here: all of it is in the heap (C2). */
  #keepHouse(): void {
    if (this.#work !== undefined || this.#closed) return;
    const job = this.#rest > 0 ? undefined : this.#nextJob();
    if (this.#rest > 0) this.#rest--;
    this.#work = this.#run(job).then(() => {
      this.#work = undefined;
    });
  }

  async #run(job: (() => Promise<Product>) | undefined): Promise<void> {
    this.#undeleted = await this.#deleteUnneeded();
    if (job === undefined) return;
    try {
      const product = await job();
      this.#product = { ...product, file: this.#mine(product.file) };
    } catch (thrown) {
      this.#failure = thrown;
      this.#rest = REST_CHECKPOINTS;
    }
  }

  /** Step 1. What is needed is asked anew for each, for snapshots are taken meanwhile. @returns how many deletions failed */
  async #deleteUnneeded(): Promise<number> {
    let failed = 0;
    for (const name of [...this.#known]) {
      if (this.#closed) return failed;
      if (this.#isNeeded(name.slice(this.parts.directory.length + 1))) continue;
      try {
        await this.parts.store.delete(name);
        this.#known.delete(name);
      } catch (thrown) {
        failed++;
        this.#failure = thrown;
      }
    }
    return failed;
  }

  /** C3. */
  #isNeeded(name: string): boolean {
    return (
      this.#files.some((file) => file.name === name) ||
      this.#pending?.includes(name) === true ||
      this.#product?.file.name === name ||
      this.#retained.some((files) => files.includes(name)) ||
      (this.#inherited.commits > 0 && this.#inherited.names.includes(name))
    );
  }

  /** Steps 2 and 3. */
  #nextJob(): (() => Promise<Product>) | undefined {
    if (this.#product !== undefined) return undefined;
    const files = [...this.#files];
    const deltas = files.filter(({ level }) => level !== BASE);
    const baseBytes = sizeOf(files) - sizeOf(deltas);
    if (sizeOf(deltas) >= Math.max(baseBytes, SMALLEST_BASE_BYTES)) return () => this.#newBase(files);
    for (let level = 0; deltas.some((delta) => delta.level >= level); level++) {
      const ofLevel = deltas.filter((delta) => delta.level === level);
      if (ofLevel.length >= MERGE_WIDTH) return () => this.#merged(ofLevel, level + 1);
    }
    return undefined;
  }

  async #newBase(files: readonly ChainFile[]): Promise<Product> {
    const { store, entries } = this.parts;
    const file = await this.#create(BASE, (name) => writeBase(store, name, entries(), () => this.#closed));
    return { file, replaces: new Set(files) };
  }

  async #merged(files: readonly ChainFile[], level: number): Promise<Product> {
    const { store, directory, pathOf } = this.parts;
    const sources = files.map(({ name }) => ({ name: `${directory}/${name}`, path: pathOf(name) }));
    const file = await this.#create(level, (name) => writeMerged(store, name, level, sources, () => this.#closed));
    return { file, replaces: new Set(files) };
  }
}

const sizeOf = (files: readonly ChainFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
