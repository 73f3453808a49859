import { isReservedKey, type RecordColumns, type SnapshotStore } from '@weir/core';
import { errors } from '../errors.js';
import { readBlocks, SnapshotEncoder } from './snapshot-file.js';
import { BASE } from './snapshot-names.js';

/** What the three sorts of snapshot files are made of. Each takes the memory of a block, and the event loop gets its turn between two. */
interface Written {
  readonly rows: number;
  readonly bytes: number;
}

/** A delta of level 0: the changes of one checkpoint. */
export function writeChanges(store: SnapshotStore, name: string, changes: RecordColumns): Promise<Written> {
  return create(store, name, function* (encoder) {
    yield encoder.header(0);
    for (let row = 0; row < changes.count; row++) {
      encoder.addRow(changes, row);
      if (encoder.blockIsFull) yield* encoder.block();
    }
  });
}

/** A base: the entries of a heap, which may change meanwhile. @param isEnded asked between blocks: true drops the file */
export function writeBase(store: SnapshotStore, name: string, entries: Iterable<readonly [string, string]>, isEnded: () => boolean): Promise<Written> {
  return create(store, name, function* (encoder) {
    yield encoder.header(BASE);
    for (const [key, value] of entries) {
      if (isReserved(key)) continue;
      encoder.addEntry(key, value);
      if (!encoder.blockIsFull) continue;
      yield* encoder.block();
      if (isEnded()) throw new Ended();
    }
  });
}

/** A delta of a higher level: others, one behind the other. */
export function writeMerged(store: SnapshotStore, name: string, level: number, sources: readonly { readonly name: string; readonly path: string }[], isEnded: () => boolean): Promise<Written> {
  return create(store, name, async function* (encoder) {
    yield encoder.header(level);
    for (const source of sources) {
      for await (const block of readBlocks(source.path, store.read(source.name))) {
        yield* encoder.copy(block);
        if (isEnded()) throw new Ended();
      }
    }
  });
}

/** Not an error that anybody sees: the store was closed. */
class Ended extends Error {}

type Content = (encoder: SnapshotEncoder) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

async function create(store: SnapshotStore, name: string, content: Content): Promise<Written> {
  const encoder = new SnapshotEncoder();
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield* content(encoder);
    yield* encoder.block();
    yield encoder.end();
  }
  if (!(await store.create(name, whole()))) throw errors.snapshotFailed({ act: 'creating', path: name, found: 'a file of that name is there, and no other owner may have it' });
  return { rows: encoder.rows, bytes: encoder.bytes };
}

/** As core's isReservedKey, for a key as text of one byte per character. */
const isReserved = (key: string): boolean => key.charCodeAt(0) === 0xff && key.charCodeAt(1) >= 0xfe && isReservedKey(Buffer.from(key, 'latin1'), 0, key.length);
