import { textCodec } from '@weir/core';

// The examples of docs/nest/migrating-from-kafka-transport.md; migration-page.spec.ts runs them and holds the page against them.

// #region codec
export interface SensorReading {
  readonly id: string;
  readonly timestamp: number;
  readonly temperature: number;
}

/** A line `id,timestamp,temperature`. */
export const sensorReadingCsv = textCodec<SensorReading>({
  id: 'sensor-reading-csv',
  encode: ({ id, timestamp, temperature }) => `${id},${timestamp},${temperature}`,
  decode: (line) => {
    const [id, timestamp, temperature] = line.split(',');
    const reading = { id: id ?? '', timestamp: Number(timestamp), temperature: Number(temperature) };
    if (reading.id !== '' && !Number.isNaN(reading.timestamp + reading.temperature)) return reading;
    throw new RangeError('a line is id,timestamp,temperature');
  },
});
// #endregion

export interface TemperatureAlert extends SensorReading {
  readonly lastTemperature: number;
}
