import type { Codec } from '@weir/core';

/** One line of a sensor: `id,timestamp,temperature`. */
export interface SensorReading {
  readonly id: string;
  /** As the sensor sent it, a whole number; usually seconds since the epoch. */
  readonly timestamp: number;
  /** Degrees Celsius. */
  readonly temperature: number;
}

const COMMA = 0x2c;
const LINE = 'id,timestamp,temperature';

/**
 * Readings as CSV lines. Reads in place, for it runs once per record: the id is the only text it makes.
 * Numbers may have blanks around them, and a line may end in CR or LF.
 */
export const sensorReadingCsv: Codec<SensorReading> = {
  id: 'sensor-reading-csv',
  version: 1,
  encode: ({ id, timestamp, temperature }, out) => out.writeUtf8(`${id},${timestamp},${temperature}`),
  decode: (buffer, start, end) => {
    const first = commaIn(buffer, start, end);
    const second = first < 0 ? -1 : commaIn(buffer, first + 1, end);
    if (second < 0) throw new RangeError(`a line is ${LINE}, and this one has ${first < 0 ? 1 : 2} of 3 fields`);
    if (commaIn(buffer, second + 1, end) >= 0) throw new RangeError(`a line is ${LINE}, and this one has more than 3 fields`);
    if (first === start) throw new RangeError('the id is empty');
    const timestamp = numberIn(buffer, first + 1, second, 'timestamp');
    if (!Number.isSafeInteger(timestamp)) throw new RangeError(`the timestamp is ${timestamp}, and a whole number was expected`);
    return { id: buffer.utf8Slice(start, first), timestamp, temperature: numberIn(buffer, second + 1, end, 'temperature') };
  },
};

function commaIn(buffer: Buffer, start: number, end: number): number {
  for (let at = start; at < end; at++) if (buffer[at] === COMMA) return at;
  return -1;
}

/**
 * A decimal number in bytes [start, end). Plain ones (up to 15 digits, at most one point) are exact without making text: a mantissa below
 * 2^53 divided by a power of ten up to 10^22 is correctly rounded (Clinger, "How to read floating point numbers accurately", 1990).
 */
function numberIn(buffer: Buffer, start: number, end: number, field: string): number {
  const negative = buffer[start] === 0x2d;
  let at = negative ? start + 1 : start;
  let mantissa = 0;
  let digits = 0;
  let point = -1;
  for (; at < end; at++) {
    const byte = buffer[at]!;
    if (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + (byte - 0x30);
      digits++;
    } else if (byte === 0x2e && point < 0) point = digits;
    else break;
  }
  if (at < end || digits === 0 || digits > 15) return numberFromText(buffer.utf8Slice(start, end), field);
  const magnitude = point < 0 ? mantissa : mantissa / POWERS_OF_TEN[digits - point]!;
  return negative ? -magnitude : magnitude;
}

const POWERS_OF_TEN: readonly number[] = Array.from({ length: 16 }, (_, power) => 10 ** power);

function numberFromText(text: string, field: string): number {
  const trimmed = text.trim();
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed) ? Number(trimmed) : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new RangeError(`the ${field} is ${JSON.stringify(text)}, and a number was expected`);
}
