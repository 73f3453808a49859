import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { LogFactory } from '@weir/core';
import { AppModule } from '../app.module.js';
import type { AlertServiceSettings } from '../service-settings.js';
import type { RunningService } from './service-process.js';

/** The service within the demo's process, on a log that the demo brings: for machines without Kafka. */
export async function embedService(settings: AlertServiceSettings, log: LogFactory): Promise<RunningService> {
  const app = await NestFactory.create(AppModule.forSettings(settings, log), { logger: ['warn', 'error'] });
  await app.listen(settings.port, settings.host);
  return {
    url: await app.getUrl(),
    failed: new Promise(() => undefined),
    stop: async () => {
      await app.close();
      return 0;
    },
  };
}
