import { Module } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { clockOf } from '@weir/core';
import type { LogFactory, StateBackendFactory } from '@weir/core';
import { StreamModule, StreamTransport } from '@weir/nest';
import { InMemoryCluster, inMemoryLog, SimulatedDisk } from '@weir/testing';
import { TemperatureController } from './after.spec-d.js';

/** What stands in for Kafka and RocksDB here. */
export const cluster = new InMemoryCluster({ clock: clockOf(globalThis) });
const disk = new SimulatedDisk();
const kafka = (_: { readonly brokers: readonly string[] }): LogFactory => inMemoryLog(cluster);
const rocksdb = (_: { readonly dir: string }): StateBackendFactory => disk.connect();

// #region main
@Module({
  imports: [
    StreamModule.forRoot({
      applicationId: 'temperature-service',
      log: kafka({ brokers: ['localhost:9092'] }),
      state: rocksdb({ dir: './data' }),
    }),
  ],
  controllers: [TemperatureController],
})
export class AppModule {}

export async function bootstrap(): Promise<INestApplication> {
  const app = await NestFactory.create(AppModule);
  app.connectMicroservice({ strategy: app.get(StreamTransport) });
  app.enableShutdownHooks();
  await app.startAllMicroservices();
  await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
  return app;
}
// #endregion
