import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clockOf, incarnation, sleep, taskIndex, type StateStore, type StoreScope } from '@weir/core';
import { rocksdb } from './rocksdb-backend.js';

/** A store in real processes: killed while they write, holding the lock, and filled with more than memory may hold. */
const CHILD = fileURLToPath(new URL('../../test-support/child.mjs', import.meta.url));
const SCOPE: StoreScope = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };
const KILLS = 25;
const clock = clockOf(globalThis);

let dir: string;
let children: Child[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await rm(dir, { recursive: true, force: true });
});

class Child {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(...args: string[]) {
    this.#process = spawn(process.execPath, [CHILD, join(dir, 'build'), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#ended = once(this.#process, 'exit');
    children.push(this);
  }

  /** The next line that it prints; undefined once it ended. */
  async line(): Promise<string | undefined> {
    const next = await this.#lines.next();
    return next.done === true ? undefined : next.value;
  }

  /** Closes its stdin, and waits for its end. */
  async end(): Promise<void> {
    this.#process.stdin.end();
    await this.#ended;
  }

  /** SIGKILL. Resolves with what it had printed and nobody had read. */
  async kill(): Promise<string[]> {
    this.#process.kill('SIGKILL');
    await this.#ended;
    const rest: string[] = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) rest.push(line);
    return rest;
  }
}

async function opened<T>(use: (store: StateStore) => T): Promise<T> {
  const backend = await rocksdb({ dir: join(dir, 'state'), lockTimeoutMs: 10_000 }).open(1);
  try {
    return use(await backend.open(SCOPE));
  } finally {
    await backend.close();
  }
}

/** What a store holds after batches 1 to `position` of the child's `write`. */
function contentAt(position: number): Record<string, number> {
  const content = new Map<string, number>();
  for (let n = 1; n <= position; n++) {
    for (let j = 0; j < 20; j++) content.set(`key-${(n * 7 + j) % 499}`, n);
    content.delete(`key-${(n * 11) % 499}`);
  }
  return Object.fromEntries(content);
}

const contentOf = (store: StateStore): Record<string, number> =>
  Object.fromEntries([...store.scan(Buffer.from('key-'))].map(({ key, value }) => [key.toString(), value.readDoubleBE()]));

describe('a RocksDB store in a process that is killed', () => {
  it(
    `holds after each of ${KILLS} kills in the middle of a loop of batches every batch that was applied, whole, and a position that agrees`,
    async () => {
      let last = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const child = new Child('write', join(dir, 'state'));
        await child.line();
        await sleep(clock, Math.floor(clock.random() * 60));
        const acknowledged = Number((await child.kill()).at(-1) ?? last);
        await opened((store) => {
          const position = store.position!.offset;
          expect(position).toBeGreaterThanOrEqual(acknowledged);
          expect(contentOf(store)).toEqual(contentAt(position));
          last = position;
        });
      }
      expect(last).toBeGreaterThan(KILLS);
    },
    120_000,
  );
});

describe('a RocksDB store that another process has open', () => {
  it('trap 11: is refused after a bounded wait, with the path, and given once its owner ends or dies', async () => {
    const state = join(dir, 'state');
    const owner = new Child('hold', state);
    expect(await owner.line()).toBe('held');
    const impatient = await rocksdb({ dir: state, lockTimeoutMs: 100 }).open(1);
    const path = join(state, 'app/0/0-0');
    const locked = { kind: 'retry', code: 'STATE_LOCKED', message: expect.stringContaining(path) };
    await expect(impatient.open(SCOPE)).rejects.toMatchObject(locked);
    await expect(impatient.destroy(SCOPE)).rejects.toMatchObject(locked);

    const patient = await rocksdb({ dir: state, lockTimeoutMs: 10_000 }).open(1);
    const waiting = patient.open(SCOPE);
    await owner.end();
    await (await waiting).close();

    const next = new Child('hold', state);
    expect(await next.line()).toBe('held');
    await next.kill();
    await (await impatient.open(SCOPE)).close();
    await impatient.close();
    await patient.close();
  });
});

describe('a process that goes by the name in its state directory', () => {
  it('E1: keeps the name from others, and leaves it to the next one when it is killed', async () => {
    const state = join(dir, 'state');
    const ids = rocksdb({ dir: state }).instances!;
    const holder = new Child('name', state);
    const name = await holder.line();
    const other = (await ids.take('app'))!;
    expect(other.instanceId).not.toBe(name);
    await holder.kill();
    const next = (await ids.take('app'))!;
    expect(next.instanceId).toBe(name);
    await Promise.all([other.close(), next.close()]);
  });
});

describe('a restore of much state (trap 10)', () => {
  it('applies 200 MB in bounded batches without keeping them in memory', async () => {
    const child = new Child('fill', join(dir, 'state'), '400');
    const grownBytes = Number(await child.line());
    await child.end();
    expect(grownBytes).toBeLessThan(100 * 1024 * 1024);
    await opened((store) => expect(store.position?.offset).toBe(399));
  }, 120_000);
});
