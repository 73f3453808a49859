import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isWeirError, type SnapshotStore } from '@weir/core';

/**
 * Conformance suite of the SnapshotStore port: every implementation runs it, and passes all of it.
 */
export interface SnapshotStoreHarness {
  /** A store as another process has it, over the same place. */
  open(): Promise<SnapshotStore>;
  /** Removes all that the harness made. */
  dispose(): Promise<void>;
}

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

async function contentOf(store: SnapshotStore, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that differ everywhere. */
function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

async function rejection(promise: Promise<unknown>): Promise<Error & { readonly code?: string; readonly kind?: string }> {
  try {
    await promise;
  } catch (thrown) {
    return thrown as Error;
  }
  throw new Error('expected a rejection, and it resolved');
}

interface Context {
  readonly store: () => SnapshotStore;
  readonly other: () => SnapshotStore;
}

export function describeSnapshotStoreConformance(name: string, makeHarness: () => Promise<SnapshotStoreHarness>): void {
  describe(`${name} as a SnapshotStore`, () => {
    let harness: SnapshotStoreHarness;
    let store: SnapshotStore;
    let other: SnapshotStore;

    beforeEach(async () => {
      harness = await makeHarness();
      [store, other] = [await harness.open(), await harness.open()];
    });
    afterEach(() => harness.dispose());

    const context: Context = { store: () => store, other: () => other };
    describeContent(context);
    describeCreation(context);
    describeUnfinished(context);
    describeListing(context);
    describeDeletion(context);
    describeNames(context);
  });
}

function describeContent({ store, other }: Context): void {
  describe('content (N3, N5)', () => {
    it.each([0, 1, 999, 1_000, 1_001, 262_143, 262_144, 262_145, 3_000_000])('of %i bytes comes back as it was, in this process and in another', async (length) => {
      const content = noise(length);
      expect(await store().create('app/file', [content])).toBe(true);
      expect((await contentOf(store(), 'app/file')).equals(content)).toBe(true);
      expect((await contentOf(other(), 'app/file')).equals(content)).toBe(true);
    });

    it('may come in many chunks of any size, from a generator that waits', async () => {
      const parts = Array.from({ length: 50 }, (_, n) => noise(n * 37, n + 1));
      async function* chunks(): AsyncGenerator<Buffer> {
        for (const part of parts) {
          await Promise.resolve();
          yield part;
        }
      }
      await store().create('file', chunks());
      expect((await contentOf(store(), 'file')).equals(Buffer.concat(parts))).toBe(true);
    });

    it('is taken chunk by chunk: the memory of one is used again for the next', async () => {
      const chunk = Buffer.alloc(10_000);
      function* chunks(): Generator<Buffer> {
        for (let n = 1; n <= 30; n++) yield chunk.fill(n);
      }
      await store().create('file', chunks());
      const found = await contentOf(store(), 'file');
      expect([found.length, ...Array.from({ length: 30 }, (_, n) => found[n * 10_000 + 9_999])]).toEqual([300_000, ...Array.from({ length: 30 }, (_, n) => n + 1)]);
    });

    it('is the reader\'s own: changing a chunk changes nothing in the store', async () => {
      await store().create('file', [text('value')]);
      for await (const chunk of store().read('file')) chunk.fill(0);
      expect(await contentOf(store(), 'file')).toEqual(text('value'));
    });

    it('is read by many at once, and a reading may be left half-way', async () => {
      const content = noise(600_000);
      await store().create('file', [content]);
      for await (const _ of store().read('file')) break;
      const all = await Promise.all([store(), other(), store()].map((each) => contentOf(each, 'file')));
      expect(all.every((each) => each.equals(content))).toBe(true);
    });

    it('that is not there is an error that names it', async () => {
      const missing = await rejection(contentOf(store(), 'app/never'));
      expect([isWeirError(missing, 'invalid'), missing.code]).toEqual([true, 'SNAPSHOT_MISSING']);
      expect(missing.message).toContain('app/never');
    });
  });
}

function describeCreation({ store, other }: Context): void {
  describe('creation (N1, N2)', () => {
    it('of a name that is taken changes nothing, and says so', async () => {
      expect(await store().create('file', [text('first')])).toBe(true);
      expect(await store().create('file', [text('second, and longer')])).toBe(false);
      expect(await other().create('file', [])).toBe(false);
      expect(await contentOf(store(), 'file')).toEqual(text('first'));
      expect(await store().list('app')).toEqual({ names: [], unfinished: [] });
    });

    it('of one name by many at once succeeds once, and its content is the winner\'s', async () => {
      const contents = Array.from({ length: 8 }, (_, n) => noise(100_000, n + 1));
      const created = await Promise.all(contents.map((content, n) => (n % 2 === 0 ? store() : other()).create('app/file', [content])));
      expect(created.filter(Boolean)).toHaveLength(1);
      expect((await contentOf(store(), 'app/file')).equals(contents[created.indexOf(true)]!)).toBe(true);
      expect(await store().list('app')).toEqual({ names: ['app/file'], unfinished: [] });
    });

    it('shows nothing before its content has come to its end', async () => {
      let looked = false;
      async function* chunks(): AsyncGenerator<Buffer> {
        yield text('half');
        expect((await other().list('app')).names).toEqual([]);
        expect((await rejection(contentOf(other(), 'app/file'))).code).toBe('SNAPSHOT_MISSING');
        looked = true;
        yield text(' and half');
      }
      await store().create('app/file', chunks());
      expect([looked, String(await contentOf(other(), 'app/file'))]).toEqual([true, 'half and half']);
    });

    it('whose content throws leaves nothing, and throws what it threw', async () => {
      const failure = new Error('no more');
      function* chunks(): Generator<Buffer> {
        yield text('half');
        throw failure;
      }
      expect(await rejection(store().create('app/file', chunks()))).toBe(failure);
      expect(await store().list('app')).toEqual({ names: [], unfinished: [] });
      expect(await store().create('app/file', [text('whole')])).toBe(true);
    });
  });
}

function describeUnfinished({ store, other }: Context): void {
  describe('a creation under way', () => {
    it('is listed as unfinished, and is none of the names', async () => {
      let seen: unknown;
      async function* chunks(): AsyncGenerator<Buffer> {
        yield text('half');
        seen = await other().list('app');
      }
      await store().create('app/file', chunks());
      expect(seen).toEqual({ names: [], unfinished: [expect.stringMatching(/^app\/file~/)] });
      expect((await other().list('app')).unfinished).toEqual([]);
    });

    it('fails when what it has written is deleted, and creates nothing', async () => {
      async function* chunks(): AsyncGenerator<Buffer> {
        yield text('half');
        for (const name of (await other().list('app')).unfinished) await other().delete(name);
        yield text('half');
      }
      expect(isWeirError(await rejection(store().create('app/file', chunks())), 'restart-task')).toBe(true);
      expect(await store().list('app')).toEqual({ names: [], unfinished: [] });
    });
  });
}

function describeListing({ store, other }: Context): void {
  describe('a listing (N3)', () => {
    it('has the names of one directory, sorted, and neither those below it nor those beside it', async () => {
      for (const name of ['a/c', 'a/b', 'a/b2/x', 'a', 'ab/x', 'a.b/x', 'a/B'].filter((each) => each !== 'a')) await store().create(name, [text(name)]);
      expect(await other().list('a')).toEqual({ names: ['a/B', 'a/b', 'a/c'], unfinished: [] });
      expect(await other().list('a/b2')).toEqual({ names: ['a/b2/x'], unfinished: [] });
    });

    it('is empty for a directory that does not exist', async () => {
      expect(await store().list('never/was')).toEqual({ names: [], unfinished: [] });
    });

    it('has every one of many names', async () => {
      const names = Array.from({ length: 150 }, (_, n) => `app/0/0-1/file-${String(n).padStart(4, '0')}`);
      await Promise.all(names.map((name) => store().create(name, [text(name)])));
      expect((await other().list('app/0/0-1')).names).toEqual(names);
    });
  });
}

function describeDeletion({ store, other }: Context): void {
  describe('deletion (N4)', () => {
    it('removes a name, for every process, and only that', async () => {
      for (const name of ['app/a', 'app/b']) await store().create(name, [text(name)]);
      await store().delete('app/a');
      expect((await other().list('app')).names).toEqual(['app/b']);
      expect((await rejection(contentOf(other(), 'app/a'))).code).toBe('SNAPSHOT_MISSING');
      expect(await contentOf(other(), 'app/b')).toEqual(text('app/b'));
    });

    it('may be done twice, by many, and of what never was', async () => {
      await store().create('app/a', []);
      await Promise.all([store().delete('app/a'), other().delete('app/a')]);
      await store().delete('app/a');
      await store().delete('never/was');
    });

    it('frees the name', async () => {
      await store().create('app/a', [text('first')]);
      await store().delete('app/a');
      expect(await other().create('app/a', [text('second')])).toBe(true);
      expect(await contentOf(store(), 'app/a')).toEqual(text('second'));
    });

    it('lets a reading that is under way have the whole content, or fail', async () => {
      const content = noise(900_000);
      await store().create('app/a', [content]);
      const chunks: Buffer[] = [];
      let failure: unknown;
      try {
        for await (const chunk of store().read('app/a')) {
          if (chunks.length === 0) await other().delete('app/a');
          chunks.push(chunk);
        }
      } catch (thrown) {
        failure = thrown;
      }
      expect(failure !== undefined || Buffer.concat(chunks).equals(content)).toBe(true);
    });
  });
}

function describeNames({ store }: Context): void {
  describe('names', () => {
    it.each(['', '/', '/etc/x', '../x', 'a/../../x', 'a//b', 'a/.', 'a\\b', 'a\0b', 'ä', 'a~b', 'x'.repeat(151)])('refuses %j everywhere, before it touches anything', async (name) => {
      const refusals = await Promise.all([
        rejection(store().create(name, [text('x')])),
        rejection(contentOf(store(), name)),
        rejection(store().list(name)),
        rejection(store().delete(name)),
      ]);
      expect(refusals.map(({ kind, code }) => [kind, code])).toEqual(Array(4).fill(['invalid', 'SNAPSHOT_NAME_INVALID']));
    });
  });
}
