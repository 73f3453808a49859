import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  incarnation,
  isWeirError,
  offset,
  RecordWriter,
  taskIndex,
  type StateBackend,
  type StateBackendFactory,
  type StateStore,
  type StorePosition,
  type StoreScope,
} from '@weir/core';

/**
 * Conformance suite of the StateBackend port: every implementation runs it, and passes all of it.
 *
 * A harness makes backends over one place (a directory, say), so that closing one and opening another is what a restart of the process
 * is. The suite waits for its lock timeout, so it is short, and yet long enough for a store to close on a busy machine.
 */
export interface StateBackendHarness {
  /** Each `open` acts like a new process. */
  readonly factory: StateBackendFactory;
  /** Whether stores outlive their process. */
  readonly durable: boolean;
  /** Removes all that the harness made. */
  dispose(): Promise<void>;
}

const MAX_STORES = 4;
const SCOPE: StoreScope = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };

/** Key to value; a null value deletes. */
type Changes = readonly (readonly [key: Uint8Array, value: Uint8Array | null])[];

const at = (at: number, more: Partial<StorePosition> = {}): StorePosition => ({
  offset: offset(at),
  topicId: 'c0ffee00c0ffee00c0ffee00c0ffee00',
  leaderEpoch: 3,
  writtenAt: 1_700_000_000_123,
  ...more,
});

const bytes = (...values: number[]): Buffer => Buffer.from(values);
const text = (value: string): Buffer => Buffer.from(value, 'utf8');

function apply(store: StateStore, position: StorePosition, changes: Changes): Promise<void> {
  const writer = new RecordWriter();
  for (const [key, value] of changes) writer.add(0, key, value);
  return store.apply(writer.columns, position);
}

/** What a scan shows, in hexadecimal. */
const shown = (scan: Iterable<{ readonly key: Buffer; readonly value: Buffer }>): [string, string][] =>
  [...scan].map(({ key, value }) => [key.toString('hex'), value.toString('hex')]);

const keysOf = (store: StateStore, prefix: Uint8Array): string[] => shown(store.scan(prefix)).map(([key]) => key);

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (thrown) {
    return thrown;
  }
  throw new Error('expected a rejection, and it resolved');
}

/** Keys that others have stumbled over; in the order of unsigned bytes. */
const AWKWARD_KEYS: readonly Buffer[] = [
  ...['', '00', '00000000', '0001', '61', '6100', '6161', '7f', '80', 'c328', 'feff', 'ff', 'ff00', 'fffdff'],
  ...['fffe', 'fffe00', 'fffe01', 'fffe8001', 'fffeff', 'ffff', 'ffffff'],
].map((hex) => Buffer.from(hex, 'hex'));

export function describeStateBackendConformance(name: string, makeHarness: () => Promise<StateBackendHarness>): void {
  describe(`${name} as a StateBackend`, () => {
    let harness: StateBackendHarness;
    let backend: StateBackend;
    let store: StateStore;

    beforeEach(async () => {
      harness = await makeHarness();
      backend = await harness.factory.open(MAX_STORES);
      store = await backend.open(SCOPE);
    });

    afterEach(async () => {
      await backend.close();
      await harness.dispose();
    });

    /** Ends the process, as far as the port can tell, and starts another. */
    const restart = async (): Promise<void> => {
      await backend.close();
      backend = await harness.factory.open(MAX_STORES);
      store = await backend.open(SCOPE);
    };
    const context: Context = { harness: () => harness, backend: () => backend, store: () => store, restart };

    describePointReads(context);
    describeBatches(context);
    describeScans(context);
    describePositions(context);
    describeOwnership(context);
    describeRandomHistory(context);
  });
}

interface Context {
  readonly harness: () => StateBackendHarness;
  readonly backend: () => StateBackend;
  readonly store: () => StateStore;
  readonly restart: () => Promise<void>;
}

function describePointReads({ store }: Context): void {
  describe('point reads (S3, S4)', () => {
    it('finds nothing in a new store', () => {
      expect(store().get(text('a'))).toBeUndefined();
      expect(store().getMany([text('a'), text('b')])).toEqual([undefined, undefined]);
      expect(store().getMany([])).toEqual([]);
      expect([...store().scan(bytes())]).toEqual([]);
    });

    it('tells every key from every other by its bytes alone', async () => {
      await apply(store(), at(1), AWKWARD_KEYS.map((key, i) => [key, bytes(i)]));
      for (const [i, key] of AWKWARD_KEYS.entries()) {
        expect([key.toString('hex'), store().get(key)?.toString('hex')]).toEqual([key.toString('hex'), bytes(i).toString('hex')]);
      }
      expect(store().getMany(AWKWARD_KEYS).map((value) => value?.[0])).toEqual(AWKWARD_KEYS.map((_, i) => i));
    });

    it('does not find a key by its prefix, its extension or a neighbour', async () => {
      await apply(store(), at(1), [[text('sensor_10'), text('x')]]);
      expect(store().getMany([text('sensor_1'), text('sensor_100'), text('sensor_11'), bytes()])).toEqual(Array(4).fill(undefined));
    });

    it('answers many keys in the order asked for, whatever it is, with gaps and repetitions', async () => {
      await apply(store(), at(1), [[text('a'), text('1')], [text('b'), text('2')], [text('c'), text('3')]]);
      const values = store().getMany(['c', 'x', 'a', 'c', 'b'].map(text));
      expect(values.map((value) => value?.toString())).toEqual(['3', undefined, '1', '3', '2']);
    });

    it('takes keys that are plain Uint8Arrays or views into larger buffers', async () => {
      await apply(store(), at(1), [[new Uint8Array([1, 2]), new Uint8Array([9])]]);
      expect(store().get(new Uint8Array([1, 2]))).toEqual(bytes(9));
      expect(store().get(new Uint8Array([0, 1, 2, 3]).subarray(1, 3))).toEqual(bytes(9));
      expect(store().getMany([new Uint8Array([1, 2])])).toEqual([bytes(9)]);
    });

    it('tells an empty value from none', async () => {
      await apply(store(), at(1), [[text('empty'), bytes()], [text('gone'), null]]);
      expect(store().get(text('empty'))).toEqual(bytes());
      expect(store().get(text('gone'))).toBeUndefined();
    });

    it('keeps a key of 1 MB and a value of 4 MB', async () => {
      const key = Buffer.alloc(1_000_000, 0x41);
      const value = Buffer.alloc(4_000_000, 0xff);
      await apply(store(), at(1), [[key, value]]);
      expect(store().get(key)?.equals(value)).toBe(true);
      expect(store().get(key.subarray(1))).toBeUndefined();
      expect(shown(store().scan(text('AAAA')))).toHaveLength(1);
    });

    it('hands out buffers that are the caller\'s own: changing one changes nothing in the store', async () => {
      await apply(store(), at(1), [[text('a'), text('value')]]);
      store().get(text('a'))!.fill(0);
      store().getMany([text('a')])[0]!.fill(0);
      for (const entry of store().scan(bytes())) {
        entry.key.fill(0);
        entry.value.fill(0);
      }
      expect(shown(store().scan(bytes()))).toEqual([[text('a').toString('hex'), text('value').toString('hex')]]);
      expect(store().get(text('a'))).toEqual(text('value'));
    });

    it('keeps what was applied when the caller uses the bytes of the batch again', async () => {
      const writer = new RecordWriter();
      writer.add(0, text('a'), text('value'));
      await store().apply(writer.columns, at(1));
      writer.columns.buffer.fill(0xee);
      expect(store().get(text('a'))).toEqual(text('value'));
      expect(keysOf(store(), bytes())).toEqual([text('a').toString('hex')]);
    });
  });
}

function describeBatches({ store }: Context): void {
  describe('batches (S1, S3)', () => {
    it('shows a batch from the moment that apply was called', async () => {
      const applied = apply(store(), at(1), [[text('a'), text('1')]]);
      expect(store().get(text('a'))).toEqual(text('1'));
      expect(store().getMany([text('a')])).toEqual([text('1')]);
      expect(keysOf(store(), bytes())).toHaveLength(1);
      await applied;
    });

    it('lets the later row win within a batch, in either direction', async () => {
      await apply(store(), at(1), [
        [text('put-put'), text('1')],
        [text('put-del'), text('1')],
        [text('del-put'), null],
        [text('put-put'), text('2')],
        [text('put-del'), null],
        [text('del-put'), text('3')],
      ]);
      expect(store().getMany(['put-put', 'put-del', 'del-put'].map(text)).map((value) => value?.toString())).toEqual(['2', undefined, '3']);
    });

    it('overwrites and deletes across batches, and takes a deletion of what was never there', async () => {
      await apply(store(), at(1), [[text('a'), text('1')], [text('b'), text('1')]]);
      await apply(store(), at(2), [[text('a'), text('2')], [text('b'), null], [text('never'), null]]);
      expect(store().getMany(['a', 'b', 'never'].map(text)).map((value) => value?.toString())).toEqual(['2', undefined, undefined]);
      expect(keysOf(store(), bytes())).toEqual([text('a').toString('hex')]);
    });

    it('applies a batch without rows: only the position moves', async () => {
      await apply(store(), at(1), [[text('a'), text('1')]]);
      await apply(store(), at(7), []);
      expect(store().position).toEqual(at(7));
      expect(store().get(text('a'))).toEqual(text('1'));
    });

    it('changes nothing at all when a row of the batch cannot be applied', async () => {
      await apply(store(), at(1), [[text('a'), text('1')]]);
      const writer = new RecordWriter();
      writer.add(0, text('a'), text('2'));
      writer.add(0, null, text('no key'));
      writer.add(0, text('b'), text('2'));
      expect(isWeirError(await rejection(store().apply(writer.columns, at(2))), 'internal')).toBe(true);
      expect(store().position).toEqual(at(1));
      expect(store().get(text('a'))).toEqual(text('1'));
      expect(store().get(text('b'))).toBeUndefined();
      await apply(store(), at(2), [[text('c'), text('3')]]);
      expect(shown(store().scan(bytes()))).toEqual([['61', '31'], ['63', '33']]);
    });

    it('takes a batch of many rows, and reads none of those beyond its count', async () => {
      const writer = new RecordWriter();
      for (let i = 0; i < 20_000; i++) writer.add(0, text(`key-${i}`), text(String(i)));
      writer.columns.count = 15_000;
      await store().apply(writer.columns, at(1));
      expect(store().get(text('key-14999'))).toEqual(text('14999'));
      expect(store().get(text('key-15000'))).toBeUndefined();
    });

    it('keeps batches in the order of the calls, awaited or not', async () => {
      await Promise.all([1, 2, 3, 4].map((n) => apply(store(), at(n), [[text('a'), text(String(n))]])));
      expect(store().get(text('a'))).toEqual(text('4'));
      expect(store().position).toEqual(at(4));
    });
  });
}

function describeScans({ store }: Context): void {
  describe('scans (S4)', () => {
    it('runs in the order of unsigned bytes, whatever the order of writing', async () => {
      const backwards = [...AWKWARD_KEYS].reverse();
      await apply(store(), at(1), backwards.map((key, i) => [key, bytes(i)]));
      expect(keysOf(store(), bytes())).toEqual(AWKWARD_KEYS.map((key) => key.toString('hex')));
    });

    it('shows exactly the keys that begin with the prefix, for every prefix', async () => {
      await apply(store(), at(1), AWKWARD_KEYS.map((key) => [key, bytes(1)]));
      const prefixes = [...AWKWARD_KEYS, text('b'), bytes(0xff, 0xfe, 0x02), bytes(0xff, 0xff, 0xff, 0xff), bytes(0x00, 0x00)];
      for (const prefix of prefixes) {
        const expected = AWKWARD_KEYS.filter((key) => key.subarray(0, prefix.length).equals(prefix)).map((key) => key.toString('hex'));
        expect([prefix.toString('hex'), keysOf(store(), prefix)]).toEqual([prefix.toString('hex'), expected]);
      }
    });

    it('keeps showing what the store held when it began, while the store is changed', async () => {
      const keys = Array.from({ length: 2000 }, (_, i) => text(`k${String(i).padStart(5, '0')}`));
      await apply(store(), at(1), keys.map((key) => [key, text('old')]));
      const scan = store().scan(text('k'));
      const unread = store().scan(text('k'));
      const first = scan.next();
      await apply(store(), at(2), [
        ...keys.filter((_, i) => i % 2 === 0).map((key) => [key, null] as const),
        ...keys.filter((_, i) => i % 2 === 1).map((key) => [key, text('new')] as const),
        [text('k00000a'), text('added')],
      ]);
      // A scan of the changed store must not disturb the older ones.
      expect(keysOf(store(), text('k'))).toHaveLength(1001);
      const seen = [first.value as { key: Buffer; value: Buffer }, ...scan];
      expect(seen.map(({ key, value }) => `${key.toString()} ${value.toString()}`)).toEqual(keys.map((key) => `${key.toString()} old`));
      expect(shown(unread)).toEqual(keys.map((key) => [key.toString('hex'), text('old').toString('hex')]));
    });

    it('sees each change in the next scan, also after many scans', async () => {
      for (let n = 1; n <= 20; n++) {
        await apply(store(), at(n), [[bytes(7, n), text('v')], [bytes(7, n - 5), null]]);
        const expected = [n - 4, n - 3, n - 2, n - 1, n].filter((kept) => kept >= 1).map((kept) => bytes(7, kept).toString('hex'));
        expect(keysOf(store(), bytes(7))).toEqual(expected);
      }
    });

    it('can be left half-way, and stays ended once it ended', async () => {
      await apply(store(), at(1), Array.from({ length: 100 }, (_, i) => [bytes(i), bytes(i)] as const));
      for (const { key } of store().scan(bytes())) if (key[0] === 50) break;
      const scan = store().scan(bytes(7));
      expect(scan.next()).toMatchObject({ done: false });
      expect(scan.next()).toEqual({ done: true, value: undefined });
      expect(scan.next()).toEqual({ done: true, value: undefined });
      const left = store().scan(bytes());
      left.next();
      left.return?.();
      expect(left.next()).toEqual({ done: true, value: undefined });
    });

    it('runs side by side with other scans', async () => {
      await apply(store(), at(1), [[text('a1'), bytes(1)], [text('a2'), bytes(2)], [text('b1'), bytes(3)], [text('b2'), bytes(4)]]);
      const [a, b] = [store().scan(text('a')), store().scan(text('b'))];
      const values = [a.next(), b.next(), a.next(), b.next()].map((result) => (result.value as { value: Buffer }).value[0]);
      expect(values).toEqual([1, 3, 2, 4]);
    });
  });
}

function describePositions({ store, restart, harness }: Context): void {
  describe('positions (S1, S2)', () => {
    it('has none in a new store, and the last one applied after that', async () => {
      expect(store().position).toBeUndefined();
      await apply(store(), at(10), []);
      await apply(store(), at(12, { leaderEpoch: 4, writtenAt: 1 }), []);
      expect(store().position).toEqual(at(12, { leaderEpoch: 4, writtenAt: 1 }));
    });

    it('takes the same offset again, with a later time', async () => {
      await apply(store(), at(5), []);
      await apply(store(), at(5, { writtenAt: 1_700_000_001_000 }), []);
      expect(store().position?.writtenAt).toBe(1_700_000_001_000);
    });

    it('refuses to move back, or over to another log, and changes nothing', async () => {
      await apply(store(), at(5), [[text('a'), text('1')]]);
      for (const wrong of [at(4), at(6, { topicId: 'another' }), at(-1), at(6.5), at(Number.NaN)]) {
        expect(isWeirError(await rejection(apply(store(), wrong, [[text('a'), text('2')]])), 'internal')).toBe(true);
      }
      expect(store().position).toEqual(at(5));
      expect(store().get(text('a'))).toEqual(text('1'));
    });

    it.each([
      at(0),
      at(2 ** 32 - 1),
      at(2 ** 32),
      at(Number.MAX_SAFE_INTEGER, { leaderEpoch: 2 ** 31 - 1 }),
      at(1, { leaderEpoch: -1, topicId: '' }),
      at(1, { topicId: 'ümläut-\u{1f30a}', writtenAt: 0.5 }),
    ])('brings back $offset of epoch $leaderEpoch after a restart if it is durable, and forgets everything if not', async (position) => {
      await apply(store(), position, [[text('a'), text('1')]]);
      await restart();
      expect(store().position).toEqual(harness().durable ? position : undefined);
      expect(store().get(text('a'))).toEqual(harness().durable ? text('1') : undefined);
    });
  });
}

function describeOwnership({ backend, store, restart, harness }: Context): void {
  describe('ownership and lifetime (S5)', () => {
    it('refuses a second opener of the same store, names the store, and leaves the first undisturbed', async () => {
      await apply(store(), at(1), [[text('a'), text('1')]]);
      const refused = await rejection(backend().open(SCOPE));
      expect(isWeirError(refused, 'retry')).toBe(true);
      expect((refused as { code: string }).code).toBe('STATE_LOCKED');
      expect((refused as Error).message).toContain('app');
      expect(store().get(text('a'))).toEqual(text('1'));
      await apply(store(), at(2), [[text('a'), text('2')]]);
    });

    it('lets a waiting opener in as soon as the first one closes', async () => {
      const second = backend().open(SCOPE);
      await store().close();
      await expect(second).resolves.toMatchObject({ position: undefined });
    });

    it('keeps stores apart that differ in any part of their scope', async () => {
      const others: StoreScope[] = [
        { ...SCOPE, applicationId: 'app-1' },
        { ...SCOPE, incarnation: incarnation(1) },
        { ...SCOPE, subTopology: 1 },
        { ...SCOPE, task: taskIndex(1) },
      ];
      await apply(store(), at(1), [[text('a'), text('mine')]]);
      for (const scope of others) {
        const other = await backend().open(scope);
        expect(other.position).toBeUndefined();
        expect(other.get(text('a'))).toBeUndefined();
        await apply(other, at(9), [[text('a'), text('theirs')]]);
        await other.close();
      }
      expect(store().get(text('a'))).toEqual(text('mine'));
      expect(store().position).toEqual(at(1));
    });

    const tricks = ['', '.', '..', '../app', 'a/b', 'a\\b', 'a\u0000b', 'ä', 'a'.repeat(101)];
    it.each(tricks)('refuses the application id %j', async (applicationId) => {
      expect(isWeirError(await rejection(backend().open({ ...SCOPE, applicationId })), 'invalid')).toBe(true);
      expect(isWeirError(await rejection(backend().destroy({ ...SCOPE, applicationId })), 'invalid')).toBe(true);
    });

    it('destroys a closed store with all that it held, and another only by its own scope', async () => {
      const other = await backend().open({ ...SCOPE, task: taskIndex(1) });
      await apply(store(), at(5), [[text('a'), text('1')]]);
      await apply(other, at(6), [[text('a'), text('2')]]);
      await store().close();
      await backend().destroy(SCOPE);
      const again = await backend().open(SCOPE);
      expect(again.position).toBeUndefined();
      expect([...again.scan(bytes())]).toEqual([]);
      await apply(again, at(1, { topicId: 'another log' }), [[text('b'), text('3')]]);
      expect(other.get(text('a'))).toEqual(text('2'));
      await restart();
    });

    it('destroys twice, and what never was, without complaint', async () => {
      await store().close();
      await backend().destroy(SCOPE);
      await backend().destroy(SCOPE);
      await backend().destroy({ ...SCOPE, applicationId: 'never', subTopology: 7 });
    });

    it('refuses to destroy a store that is open here', async () => {
      await apply(store(), at(1), [[text('a'), text('1')]]);
      expect(isWeirError(await rejection(backend().destroy(SCOPE)), 'internal')).toBe(true);
      expect(store().get(text('a'))).toEqual(text('1'));
    });

    it('closes twice, and a backend closes the stores that are open', async () => {
      await apply(store(), at(1), [[text('a'), text('1')]]);
      await Promise.all([store().close(), store().close()]);
      await store().close();
      const again = await backend().open(SCOPE);
      await backend().close();
      await backend().close();
      expect(() => again.get(text('a'))).toThrow(/closed/);
      expect(isWeirError(await rejection(backend().open(SCOPE)), 'internal')).toBe(true);
    });

    it('refuses every use of a closed store with an error, also by scans that were running', async () => {
      await apply(store(), at(1), [[text('a'), text('1')], [text('b'), text('2')]]);
      const [fresh, running] = [store().scan(bytes()), store().scan(bytes())];
      running.next();
      const closing = store().close();
      expect(() => store().get(text('a'))).toThrow(/closed/);
      expect(() => store().getMany([text('a')])).toThrow(/closed/);
      expect(() => store().scan(bytes())).toThrow(/closed/);
      expect(() => fresh.next()).toThrow(/closed/);
      expect(isWeirError(await rejection(apply(store(), at(2), [])), 'internal')).toBe(true);
      running.return?.();
      await closing;
    });

    it('tells its kind, and a size that is a number of bytes', async () => {
      expect(backend().kind).toBe(harness().factory.kind);
      await apply(store(), at(1), Array.from({ length: 1000 }, (_, i) => [text(`key-${i}`), Buffer.alloc(100)] as const));
      expect(store().approximateSize()).toBeGreaterThan(10_000);
    });
  });
}

/** A step of a xorshift generator: the same history in every run, for this suite has no clock to draw from. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function describeRandomHistory({ store, restart, harness }: Context): void {
  it.each([1, 2, 3])('equals a plain Map over a random history of batches, scans and restarts (seed %i)', async (seed) => {
    const below = generator(seed);
    const model = new Map<string, string>();
    const anyKey = (): Buffer => Buffer.from(Array.from({ length: below(4) }, () => [0x00, 0x01, 0x41, 0xfe, 0xff][below(5)]!));
    for (let step = 1; step <= 60; step++) {
      const changes = Array.from({ length: below(30) }, () => [anyKey(), below(3) === 0 ? null : Buffer.alloc(below(40), step)] as const);
      await apply(store(), at(step), changes);
      for (const [key, value] of changes) {
        if (value === null) model.delete(key.toString('hex'));
        else model.set(key.toString('hex'), value.toString('hex'));
      }
      if (below(8) === 0) {
        await restart();
        if (!harness().durable) model.clear();
        expect(store().position).toEqual(harness().durable ? at(step) : undefined);
      }
      const prefix = anyKey();
      const expected = [...model].filter(([key]) => key.startsWith(prefix.toString('hex'))).sort(([a], [b]) => (a < b ? -1 : 1));
      expect(shown(store().scan(prefix))).toEqual(expected);
      const asked = Array.from({ length: 10 }, anyKey);
      expect(store().getMany(asked).map((value) => value?.toString('hex'))).toEqual(asked.map((key) => model.get(key.toString('hex'))));
    }
  });
}
