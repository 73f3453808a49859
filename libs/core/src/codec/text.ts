import { isUtf8 } from 'node:buffer';
import type { ByteWriter } from '../model/byte-writer.js';

/**
 * Text as UTF-8 without loss, for every codec that has text in it. What has no UTF-8, or is none, would come out as U+FFFD, and then two
 * keys would become one.
 */

/**
 * @param id of the codec, for the message
 * @throws TypeError for a lone surrogate
 */
export function writeText(text: string, out: ByteWriter, id: string): void {
  if (!isWellFormed(text)) throw new TypeError(`${id} takes well-formed text, and ${JSON.stringify(text)} has a lone surrogate`);
  out.writeUtf8(text);
}

/** @throws RangeError if the bytes are not UTF-8 */
export function readText(buffer: Buffer, start: number, end: number): string {
  const text = buffer.utf8Slice(start, end);
  // Looking for the replacement character costs nothing in ASCII text; only where there is one are the bytes looked at.
  if (text.includes('\uFFFD') && !isUtf8(buffer.subarray(start, end))) throw new RangeError('the bytes are not UTF-8');
  return text;
}

// String.prototype.isWellFormed is in every Node that Weir supports, though not in TypeScript's ES2023 library.
const isWellFormed = (text: string): boolean => (text as string & { isWellFormed(): boolean }).isWellFormed();
