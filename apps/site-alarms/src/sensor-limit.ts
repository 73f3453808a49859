import { textCodec } from '@weir/core';

/** What is allowed to a sensor, and where it stands. The newest limit of a sensor counts; a tombstone removes it. */
export interface SensorLimit {
  readonly site: string;
  /** Degrees Celsius; both are still allowed. */
  readonly lower: number;
  readonly upper: number;
}

/** Limits as JSON, checked when they are read: a limit without a number would never be left, and nobody would notice. */
export const sensorLimitJson = textCodec<SensorLimit>({
  id: 'sensor-limit-json',
  encode: ({ site, lower, upper }) => JSON.stringify({ site, lower, upper }),
  decode: (text) => {
    const { site, lower, upper } = (JSON.parse(text) ?? {}) as { [K in keyof SensorLimit]?: unknown };
    if (typeof site !== 'string' || site === '' || typeof lower !== 'number' || typeof upper !== 'number' || lower > upper)
      throw new RangeError('a limit is {"site":text,"lower":number,"upper":number}, lower not above upper');
    return { site, lower, upper };
  },
});
