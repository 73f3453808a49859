/** A constant of its own: in the contexts that specs run in, each look at a global costs more than the rest of a round. */
const { imul } = Math;

/**
 * MurmurHash2, 32 bit, with Kafka's seed: the hash of Kafka's Java partitioner.
 * Source: Austin Appleby's MurmurHash2; seed and tail handling as org.apache.kafka.common.utils.Utils.murmur2.
 *
 * @returns a signed 32-bit integer over bytes [start, end)
 */
export function murmur2(data: Uint8Array, start = 0, end = data.length): number {
  const length = end - start;
  const multiplier = 0x5bd1e995;
  let hash = 0x9747b28c ^ length;
  let at = start;
  for (const wordsEnd = start + (length & ~3); at < wordsEnd; at += 4) {
    let word = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    word = imul(word, multiplier);
    word ^= word >>> 24;
    hash = imul(hash, multiplier) ^ imul(word, multiplier);
  }
  const rest = end - at;
  if (rest > 2) hash ^= data[at + 2]! << 16;
  if (rest > 1) hash ^= data[at + 1]! << 8;
  if (rest > 0) hash = imul(hash ^ data[at]!, multiplier);
  hash = imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}
