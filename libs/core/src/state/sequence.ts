/**
 * The sequence that orders the elements of lists: one counter per task, which only grows. An element's stored key ends in the number it drew,
 * so that adding needs no read and no record of how long the list is. The counter is kept in the epoch record: after a restore it is at least
 * what every committed element drew.
 */
export class Sequence {
  /** Numbers drawn so far; the next one. Exact below 2^53. */
  next = 0;

  /** Draws a number, as 8 bytes big-endian, one per character. */
  draw(): string {
    const low = this.next >>> 0;
    const high = Math.floor(this.next++ / 0x1_0000_0000);
    return (
      String.fromCharCode(high >>> 24, (high >>> 16) & 0xff, (high >>> 8) & 0xff, high & 0xff) +
      String.fromCharCode(low >>> 24, (low >>> 16) & 0xff, (low >>> 8) & 0xff, low & 0xff)
    );
  }
}
