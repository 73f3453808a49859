import { type Clock, isSnapshotName, sleep, SNAPSHOT_NAME_RULE, type SnapshotListing, type SnapshotStore } from '@weir/core';
import { errors } from '../errors.js';
import { SeededRandom } from '../seeded-random.js';
import { SnapshotFaults, type SnapshotPoint } from './snapshot-faults.js';
import { never } from '../never.js';

/**
 * InMemorySnapshots: a snapshot store that outlives simulated processes, as a filesystem does. `connect` gives a process its view of it,
 * which dies with the process.
 *
 * Invariants:
 * - D1. A dead process changes nothing, and none of its promises settles any more. What it was creating lies there unfinished.
 * - D2. A file is one buffer, set in one step (N1, N2); no buffer of the store is handed out, and none of a caller is kept.
 */
export class InMemorySnapshots {
  readonly faults: SnapshotFaults;
  readonly #files = new Map<string, Buffer>();
  readonly #unfinished = new Set<string>();
  readonly #maxDelayMs: number;
  readonly #random: SeededRandom;
  #creations = 0;

  constructor(options: InMemorySnapshotsOptions = {}) {
    const { seed = 1, maxDelayMs = 0 } = options;
    this.faults = new SnapshotFaults(seed);
    this.#random = new SeededRandom(seed).fork(10);
    this.#maxDelayMs = maxDelayMs;
  }

  connect(process: SnapshotProcess = {}): SnapshotsConnection {
    return new SnapshotsConnection(this, process);
  }

  /** Names of the whole store, sorted. */
  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  get unfinished(): string[] {
    return [...this.#unfinished].sort();
  }

  /** The content of a file, to be looked at or damaged; undefined if there is none of that name. */
  content(name: string): Buffer | undefined {
    return this.#files.get(name);
  }

  /** Replaces or removes a file, as an operator would, or a failing disk. */
  put(name: string, content: Buffer | undefined): void {
    if (content === undefined) this.#files.delete(name);
    else this.#files.set(name, content);
  }

  // ---- what the connections ask for ----

  delayMs(): number {
    return this.#maxDelayMs === 0 ? 0 : this.#random.between(0, this.#maxDelayMs);
  }

  begin(name: string): string {
    const unfinished = `${name}~${this.#creations++}`;
    this.#unfinished.add(unfinished);
    return unfinished;
  }

  drop(unfinished: string): void {
    this.#unfinished.delete(unfinished);
  }

  /** D2. False if the name is taken. @throws WeirError `restart-task` SNAPSHOT_CREATION_LOST */
  finish(unfinished: string, name: string, content: Buffer): boolean {
    if (!this.#unfinished.delete(unfinished)) throw errors.snapshotCreationLost({ name });
    if (this.#files.has(name)) return false;
    this.#files.set(name, content);
    return true;
  }

  delete(name: string): void {
    this.#files.delete(name);
    this.#unfinished.delete(name);
  }

  list(directory: string): SnapshotListing {
    const inside = (names: Iterable<string>): string[] => [...names].filter((name) => name.slice(0, Math.max(0, name.lastIndexOf('/'))) === directory).sort();
    return { names: inside(this.#files.keys()), unfinished: inside(this.#unfinished) };
  }
}

export interface InMemorySnapshotsOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Each call waits up to so long, by its process's clock; in simulated milliseconds. Default 0. */
  readonly maxDelayMs?: number;
}

/** What a connection knows of its process. */
export interface SnapshotProcess {
  /** By which calls are delayed; without one they never are. */
  readonly clock?: Clock;
  /** Called by a fault that kills. Default: the connection alone dies. */
  readonly onKill?: () => void;
}

/** Bytes of a chunk that `read` gives: small, so that what lies across chunks is met. */
const CHUNK_BYTES = 1_000;

/** The store as one process sees it, while it lives. */
export class SnapshotsConnection implements SnapshotStore {
  #alive = true;

  constructor(
    private readonly place: InMemorySnapshots,
    private readonly process: SnapshotProcess,
  ) {}

  /** The process died (D1). */
  kill(): void {
    this.#alive = false;
  }

  async create(name: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<boolean> {
    checkName(name);
    await this.#reach('create:send', name);
    const unfinished = this.place.begin(name);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of content) {
        chunks.push(Buffer.from(chunk));
        if (chunks.length === 1) await this.#reach('create:half', name);
        if (!this.#alive) await never();
      }
    } catch (thrown) {
      this.place.drop(unfinished);
      throw thrown;
    }
    const created = this.place.finish(unfinished, name, Buffer.concat(chunks));
    await this.#reach('create:applied', name);
    return created;
  }

  async *read(name: string): AsyncGenerator<Buffer> {
    checkName(name);
    await this.#reach('read:send', name);
    const content = this.place.content(name);
    if (content === undefined) throw errors.snapshotMissing({ name });
    for (let at = 0; at < content.length; at += CHUNK_BYTES) {
      yield Buffer.from(content.subarray(at, at + CHUNK_BYTES)); // D2
      if (!this.#alive) await never();
    }
  }

  async list(directory: string): Promise<SnapshotListing> {
    checkName(directory);
    const listing = this.place.list(directory);
    await this.#reach('list:applied', directory);
    return listing;
  }

  async delete(name: string): Promise<void> {
    checkName(name.replace(/~\d+$/, ''));
    await this.#reach('delete:send', name);
    this.place.delete(name);
    await this.#reach('delete:applied', name);
  }

  /** Comes to a point of a call: after a delay, and unless a fault strikes. Never returns to a dead process (D1). */
  async #reach(point: SnapshotPoint, name: string): Promise<void> {
    const { clock, onKill } = this.process;
    const delayMs = this.place.delayMs();
    if (clock !== undefined && delayMs > 0) await sleep(clock, delayMs);
    if (!this.#alive) await never();
    const fault = this.place.faults.next(point, name);
    if (fault?.type === 'fail') throw fault.error;
    if (fault?.type === 'run') fault.run();
    if (fault?.type === 'kill') {
      this.kill();
      onKill?.();
    }
    if (!this.#alive) await never();
  }
}

function checkName(name: string): void {
  if (!isSnapshotName(name)) throw errors.snapshotNameInvalid({ name, expected: SNAPSHOT_NAME_RULE });
}
