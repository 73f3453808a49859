import 'reflect-metadata';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SettingError } from '@weir/nest';
import { AppModule } from './app.module.js';
import { settingsFrom } from './service-settings.js';

async function main(): Promise<void> {
  const settings = settingsFrom(process.env);
  const logger = new ConsoleLogger({ logLevels: [...settings.logLevels], colors: process.stdout.isTTY === true });
  const app = await NestFactory.create(AppModule.forSettings(settings), { logger });
  app.enableShutdownHooks();
  await app.listen(settings.port, settings.host);
  new Logger('Service').log(`HTTP on ${await app.getUrl()}: /health/live, /health/ready, /jobs/overview`);
}

main().catch((error: unknown) => {
  if (error instanceof SettingError) console.error(error.message);
  else console.error(error);
  process.exit(1);
});
