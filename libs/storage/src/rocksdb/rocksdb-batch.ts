import { NULL, type RecordColumns } from '@weir/core';
import { errors } from '../errors.js';
import { needsEscape, storedKey } from '../stored-key.js';
import type { BatchHandle, RocksdbBinding } from './rocksdb-binding.js';

/** Up to this many bytes a copy is cheaper than a view. */
const SMALL_BYTES = 128;

/**
 * The native batch of all stores of a backend, which takes the rows of columns without an object per row. The binding takes a Buffer for
 * each key and value, and copies it before the call returns. So a small one is copied to a scratch area, and handed over as one of the
 * views that were made of that area beforehand, one for each length.
 *
 * One is enough, for a batch is filled, written and cleared in one synchronous stretch; and better than one a store, for it keeps the memory
 * of the largest that it ever held, and that of one thrown away would wait for the garbage collector, which cannot see it.
 */
export class RocksdbBatch {
  readonly handle: BatchHandle;
  readonly #key = scratch();
  readonly #value = scratch();

  constructor(private readonly binding: RocksdbBinding) {
    this.handle = binding.batch_init();
  }

  /**
   * Appends all rows, in order; a null value deletes.
   * @throws WeirError `internal` STATE_KEY_MISSING for a null key; the batch is then to be thrown away
   */
  fill(rows: RecordColumns, path: string): void {
    const { binding, handle } = this;
    const { count, buffer, keyStart, keyEnd, valueStart, valueEnd } = rows;
    for (let i = 0; i < count; i++) {
      const start = keyStart[i]!;
      const end = keyEnd[i]!;
      if (start === NULL) throw errors.keyMissing({ path, row: i });
      const key = needsEscape(buffer, start, end) ? storedKey(buffer.subarray(start, end)) : staged(this.#key, buffer, start, end);
      const from = valueStart[i]!;
      if (from === NULL) binding.batch_del(handle, key);
      else binding.batch_put(handle, key, staged(this.#value, buffer, from, valueEnd[i]!));
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.binding.batch_put(this.handle, key, value);
  }

  clear(): void {
    this.binding.batch_clear(this.handle);
  }
}

interface Scratch {
  readonly area: Buffer;
  /** views[n] is bytes [0, n) of the area; that of length 0 has an address, as the binding needs. */
  readonly views: readonly Buffer[];
}

function scratch(): Scratch {
  const area = Buffer.alloc(SMALL_BYTES);
  return { area, views: Array.from({ length: SMALL_BYTES + 1 }, (_, length) => area.subarray(0, length)) };
}

function staged({ area, views }: Scratch, buffer: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  if (length > SMALL_BYTES) return buffer.subarray(start, end);
  for (let i = 0; i < length; i++) area[i] = buffer[start + i]!;
  return views[length]!;
}
