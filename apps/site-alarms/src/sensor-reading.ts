import { textCodec } from '@weir/core';

/** One line of a sensor: `id,timestamp,temperature`. */
export interface SensorReading {
  readonly id: string;
  /** As the sensor sent it, a whole number; usually seconds since the epoch. */
  readonly timestamp: number;
  /** Degrees Celsius. */
  readonly temperature: number;
}

/** Readings as CSV lines. apps/temperature-alerts has a faster one, which makes no text of the numbers. */
export const sensorReadingLine = textCodec<SensorReading>({
  id: 'sensor-reading-line',
  encode: ({ id, timestamp, temperature }) => `${id},${timestamp},${temperature}`,
  decode: (line) => {
    const [id = '', timestamp = '', temperature = '', ...more] = line.split(',');
    const reading = { id, timestamp: numberIn(timestamp), temperature: numberIn(temperature) };
    if (id === '' || more.length > 0 || !Number.isSafeInteger(reading.timestamp) || !Number.isFinite(reading.temperature))
      throw new RangeError('a line is id,timestamp,temperature, the timestamp a whole number');
    return reading;
  },
});

/** Number('') would be 0. */
const numberIn = (field: string): number => (field.trim() === '' ? Number.NaN : Number(field));
