import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload, Transport } from '@nestjs/microservices';
import { bytes, codec, encodeToBuffer, ByteWriter, json, topic, utf8 } from '@weir/core';
import { STREAM_TRANSPORT, StreamHandler } from '@weir/nest';
import { sensorReadingCsv } from './reading.spec-d.js';
import type { SensorReading } from './reading.spec-d.js';

/** What sends mails. */
export interface Mailer {
  send(to: string, text: string): Promise<void>;
}

const frosts = topic('frosts', { key: utf8, value: json<SensorReading>() });

// #region beside
@Controller()
export class FrostController {
  constructor(@Inject('MAILER') private readonly mailer: Mailer) {}

  @EventPattern<string>('sensor-readings', STREAM_TRANSPORT)
  @StreamHandler({ key: utf8, value: sensorReadingCsv, to: frosts })
  onReading(@Payload() reading: SensorReading): SensorReading | undefined {
    return reading.temperature < 0 ? reading : undefined;
  }

  @EventPattern<string>('frosts', Transport.KAFKA)
  async onFrost(@Payload() { id, temperature }: SensorReading): Promise<void> {
    await this.mailer.send('gardener@example.org', `${id} is at ${temperature} degrees`);
  }
}
// #endregion

const scratch = new ByteWriter();
const decode = (line: Buffer): SensorReading => sensorReadingCsv.decode(line, 0, line.length);

// #region bad
const readingOrBytes = codec<SensorReading | Uint8Array>({
  id: 'sensor-reading-or-bytes',
  encode: (value) => (value instanceof Uint8Array ? value : encodeToBuffer(sensorReadingCsv, value, scratch)),
  decode: (line) => {
    try {
      return decode(line);
    } catch {
      return line;
    }
  },
});
const badReadings = topic('bad-readings', { key: bytes, value: bytes });
const goodReadings = topic('good-readings', { key: bytes, value: json<SensorReading>() });

@Controller()
export class SortingController {
  @EventPattern<string>('sensor-readings')
  @StreamHandler({ key: bytes, value: readingOrBytes, to: badReadings })
  onBad(@Payload() value: SensorReading | Uint8Array): Uint8Array | undefined {
    return value instanceof Uint8Array ? value : undefined;
  }

  @EventPattern<string>('sensor-readings')
  @StreamHandler({ key: bytes, value: readingOrBytes, to: goodReadings })
  onGood(@Payload() value: SensorReading | Uint8Array): SensorReading | undefined {
    return value instanceof Uint8Array ? undefined : value;
  }
}
// #endregion

export const topics = { frosts, badReadings, goodReadings };
