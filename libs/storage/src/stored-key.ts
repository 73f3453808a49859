/**
 * Layout of keys in a durable store. A key is stored as it is, so that no copy is made of it, with two exceptions:
 *
 *   ff fe 00          the store's own position
 *   ff fe 01 <rest>   the key `ff fe <rest>`
 *
 * So no key of a user can meet the position, and stored keys sort as the keys do: all that begin with `ff fe` move together.
 * (Core's keys begin with a key group below 0x8000 or with `ff ff`: for them the exceptions never happen.)
 *
 * Why not a column family of its own for the position: with one family, data and position are always in the same memtable, so that a
 * file never holds one without the other, and what is left after a machine crash is a prefix of whole batches. It also
 * costs no second set of memtables.
 */
export const POSITION_KEY: Buffer = Buffer.from([0xff, 0xfe, 0x00]);

const ESCAPED = Buffer.from([0xff, 0xfe, 0x01]);
/** An empty slice with an address: the binding's RocksDB is built with assertions, and ends the process on a null pointer. */
const EMPTY = Buffer.alloc(1).subarray(0, 0);

/** Whether the key in bytes [start, end) is not stored as it is. */
export const needsEscape = (buffer: Uint8Array, start: number, end: number): boolean =>
  end - start >= 2 && buffer[start] === 0xff && buffer[start + 1] === 0xfe;

/** The stored form of a key: the key itself, but for the exceptions above. */
export function storedKey(key: Uint8Array): Uint8Array {
  if (key.length === 0) return EMPTY;
  return needsEscape(key, 0, key.length) ? Buffer.concat([ESCAPED, key.subarray(2)]) : key;
}

/** The stored forms of keys: the same array, unless one of them is an exception. */
export function storedKeys(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (key.length === 0 || needsEscape(key, 0, key.length)) return keys.map(storedKey);
  }
  return keys;
}

/** The key that was stored as `stored`, or undefined for the position. */
export function userKey(stored: Buffer): Buffer | undefined {
  if (!needsEscape(stored, 0, stored.length)) return stored;
  if (stored[2] !== ESCAPED[2]) return undefined;
  const key = Buffer.allocUnsafe(stored.length - 1);
  key[0] = 0xff;
  key[1] = 0xfe;
  stored.copy(key, 2, 3);
  return key;
}

/** Bounds of the stored keys whose key begins with `prefix`: from `from` up to, not including, `below`; undefined means unbounded. */
export function prefixRange(prefix: Uint8Array): { readonly from: Buffer | undefined; readonly below: Buffer | undefined } {
  const stored = storedKey(prefix);
  return { from: stored.length === 0 ? undefined : Buffer.from(stored), below: successor(stored) };
}

/** The least byte string above all that begin with `prefix`; undefined if there is none, as for `ff ff`. */
function successor(prefix: Uint8Array): Buffer | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const next = Buffer.from(prefix.subarray(0, length));
  next[length - 1]!++;
  return next;
}
