import { murmur2 } from './murmur2.js';

/** Flink's upper bound of maxParallelism. Key groups are below it, so that stored keys that begin with 0xffff are free for Weir's own. */
export const MAX_KEY_GROUPS = 32_768;

/** The key group of an encoded key: what keyed state is spread and moved by. 0 <= group < maxParallelism. */
export function keyGroupOf(key: Uint8Array, start: number, end: number, maxParallelism: number): number {
  return (murmur2(key, start, end) & 0x7fffffff) % maxParallelism;
}
