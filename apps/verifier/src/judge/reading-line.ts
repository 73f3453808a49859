/** One input record as the judge reads it: by a parser of its own, so that a defect of the service's codec cannot hide itself. */
export interface Reading {
  readonly id: string;
  readonly timestamp: number;
  readonly temperature: number;
}

/** @throws RangeError if the line is not `id,timestamp,temperature` */
export function parseReading(line: string): Reading {
  const fields = line.split(',');
  const [id, timestamp, temperature] = fields;
  if (fields.length !== 3 || id === undefined || id === '') throw new RangeError(`not a reading: ${JSON.stringify(line)}`);
  const reading = { id, timestamp: Number(timestamp), temperature: Number(temperature) };
  if (!Number.isSafeInteger(reading.timestamp) || !Number.isFinite(reading.temperature))
    throw new RangeError(`not a reading: ${JSON.stringify(line)}`);
  return reading;
}
