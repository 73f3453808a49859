import { describe, expect, it } from '@jest/globals';
import { ByteWriter, encodeToBuffer } from '@weir/core';
import fc from 'fast-check';
import { sensorReadingCsv } from './sensor-reading.js';

const decode = (line: string) => {
  // In the middle of a larger buffer, as in a batch.
  const bytes = Buffer.from(`xx${line}yy`, 'utf8');
  return sensorReadingCsv.decode(bytes, 2, bytes.length - 2);
};

describe('a line of a sensor', () => {
  it('is id, timestamp and temperature', () => {
    expect(decode('sensor_1,1547718199,35.8')).toEqual({ id: 'sensor_1', timestamp: 1547718199, temperature: 35.8 });
  });

  it.each([
    ['s,1,-0.5', -0.5],
    ['s,1,12.', 12],
    ['s,1,.5', 0.5],
    ['s,1, 7.25 ', 7.25],
    ['s,1,1e1', 10],
    ['s,1,+3', 3],
    ['s,1,20.123456789012345678', Number('20.123456789012345678')],
    ['s,1,5\r', 5],
  ])('reads %j', (line, temperature) => {
    expect(decode(line).temperature).toBe(temperature);
  });

  it.each([
    ['', '1 of 3 fields'],
    ['s', '1 of 3 fields'],
    ['s,1', '2 of 3 fields'],
    ['s,1,2,3', 'more than 3 fields'],
    [',1,2', 'the id is empty'],
    ['s,,2', 'the timestamp is ""'],
    ['s,1.5,2', 'whole number'],
    ['s,1,', 'the temperature is ""'],
    ['s,1,warm', 'the temperature is "warm"'],
    ['s,1,0x10', 'the temperature is "0x10"'],
    ['s,1,Infinity', 'the temperature is "Infinity"'],
    ['s,1,1e999', 'the temperature is "1e999"'],
    ['s,1,-', 'the temperature is "-"'],
    ['s,1,1.2.3', 'the temperature is "1.2.3"'],
  ])('refuses %j and says what is wrong', (line, problem) => {
    expect(() => decode(line)).toThrow(problem);
  });

  it('reads every number as JavaScript does', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), (temperature, timestamp) => {
        const line = `s,${timestamp},${temperature}`;
        expect(decode(line)).toEqual({ id: 's', timestamp, temperature: Number(String(temperature)) });
      }),
    );
    fc.assert(fc.property(fc.integer({ min: -99999, max: 99999 }), fc.integer({ min: 0, max: 6 }), (mantissa, digits) => {
      const text = (mantissa / 10 ** digits).toFixed(digits);
      expect(decode(`s,1,${text}`).temperature).toBe(Number(text));
    }));
  });

  it('is written as it is read', () => {
    const reading = { id: 'Zürich-1', timestamp: 12, temperature: -3.25 };
    const bytes = encodeToBuffer(sensorReadingCsv, reading, new ByteWriter());
    expect(sensorReadingCsv.decode(bytes, 0, bytes.length)).toEqual(reading);
  });
});
