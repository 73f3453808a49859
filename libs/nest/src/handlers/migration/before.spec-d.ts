import { Controller, Inject } from '@nestjs/common';
import { ClientKafka, Ctx, EventPattern, KafkaContext, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';

// #region before
@Controller()
export class TemperatureConsumer {
  readonly #last = new Map<string, number>(); // gone with the process

  constructor(@Inject('KAFKA') private readonly kafka: Pick<ClientKafka, 'emit'>) {}

  @EventPattern<string>('sensor-readings')
  async onReading(@Payload() line: string, @Ctx() context: KafkaContext): Promise<void> {
    const key = String(context.getMessage().key);
    const [id, timestamp, temperature] = line.split(',');
    const reading = { id, timestamp: Number(timestamp), temperature: Number(temperature) };
    const last = this.#last.get(key);
    this.#last.set(key, reading.temperature);
    if (last === undefined || Math.abs(reading.temperature - last) < 10) return;
    const value = { ...reading, lastTemperature: last };
    await lastValueFrom(this.kafka.emit('temperature-alerts', { key, value })); // again, after a crash here
  }
}
// #endregion
