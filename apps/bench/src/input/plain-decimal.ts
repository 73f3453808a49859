/** A plain decimal number of up to 15 digits in bytes [start, end): all that the hand-written peers read. */
export function plainDecimal(buffer: Buffer, start: number, end: number): number {
  const isNegative = buffer[start] === 0x2d;
  let mantissa = 0;
  let scale = 0;
  for (let at = isNegative ? start + 1 : start; at < end; at++) {
    const byte = buffer[at]!;
    if (byte === 0x2e) scale = 1;
    else {
      mantissa = mantissa * 10 + (byte - 0x30);
      scale *= 10;
    }
  }
  const magnitude = scale > 1 ? mantissa / scale : mantissa;
  return isNegative ? -magnitude : magnitude;
}
