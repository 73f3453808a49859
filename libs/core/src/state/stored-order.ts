/** What orders a key among stored keys: see stored-key.ts. */
export interface OrderedKey {
  readonly keyGroup: number;
  readonly bytes: Uint8Array;
}

/** Bits of a packed number: 15 of key group, 7 of length, 16 of key, 14 of index make 52, which a double holds exactly. */
const LENGTHS = 2 ** 7;
const BYTE = 2 ** 8;
const INDEXES = 2 ** 14;

/**
 * Keys in the order in which a store has them: by key group, length and bytes. A store reads keys fastest in its own order; only speed
 * stands on it, so lengths of 128 and more, which varints order otherwise, are ordered as numbers.
 *
 * Comparing buffers is a call out of JavaScript, ten of them for each key of a chunk. So key group, length, the first two bytes by which the
 * keys differ and the index are packed into one number each; what sorts numbers does most of the work, and bytes are compared where two of
 * these are equal. Measured over 4,096 keys: a key that enters the table costs three quarters of what it did.
 */
export function inStoredOrder<E extends OrderedKey>(keys: readonly E[]): E[] {
  if (keys.length > INDEXES || keys.some(({ bytes }) => bytes.length >= LENGTHS)) return [...keys].sort(compare);
  const differAt = commonPrefix(keys);
  const packed = new Float64Array(keys.length);
  for (let i = 0; i < keys.length; i++) {
    const { keyGroup, bytes } = keys[i]!;
    const start = (bytes[differAt] ?? 0) * BYTE + (bytes[differAt + 1] ?? 0);
    packed[i] = ((keyGroup * LENGTHS + bytes.length) * BYTE * BYTE + start) * INDEXES + i;
  }
  packed.sort();
  const sorted = new Array<E>(keys.length);
  for (let i = 0; i < packed.length; i++) sorted[i] = keys[packed[i]! % INDEXES]!;
  for (let from = 0, to = 1; from < packed.length; from = to++) {
    const start = Math.floor(packed[from]! / INDEXES);
    while (to < packed.length && Math.floor(packed[to]! / INDEXES) === start) to++;
    if (to - from > 1) sortRange(sorted, from, to);
  }
  return sorted;
}

function sortRange(keys: OrderedKey[], from: number, to: number): void {
  const range = keys.slice(from, to).sort(compare);
  for (let i = from; i < to; i++) keys[i] = range[i - from]!;
}

/** How many first bytes all keys share. */
function commonPrefix(keys: readonly OrderedKey[]): number {
  const first = keys[0]?.bytes;
  let shared = first?.length ?? 0;
  for (const { bytes } of keys) {
    if (bytes.length < shared) shared = bytes.length;
    for (let at = 0; at < shared; at++) if (bytes[at] !== first![at]) shared = at;
  }
  return shared;
}

function compare(a: OrderedKey, b: OrderedKey): number {
  const before = a.keyGroup - b.keyGroup || a.bytes.length - b.bytes.length;
  if (before !== 0) return before;
  for (let at = 0; at < a.bytes.length; at++) if (a.bytes[at] !== b.bytes[at]) return a.bytes[at]! - b.bytes[at]!;
  return 0;
}
