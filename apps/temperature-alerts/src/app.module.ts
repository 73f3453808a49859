import { type DynamicModule, Module } from '@nestjs/common';
import type { LogFactory, StateBackendFactory } from '@weir/core';
import { kafka } from '@weir/kafka';
import { type ServiceSettings, StreamModule } from '@weir/nest';
import { filesystem, memory, rocksdb } from '@weir/storage';
import { AlertSettings, type AlertServiceSettings } from './service-settings.js';
import { TemperatureAlertsJob } from './temperature-alerts.job.js';

@Module({})
export class AppModule {
  /** @param log where to read and write; Kafka unless a demo or a test brings its own */
  static forSettings(settings: AlertServiceSettings, log: LogFactory = kafka({ brokers: settings.brokers })): DynamicModule {
    const stream = StreamModule.forRoot({
      applicationId: settings.applicationId,
      log,
      state: stateBackend(settings),
      parallelism: settings.parallelism,
      badRecords: settings.badRecords,
      group: settings.group,
      advertisedUrl: settings.advertisedUrl,
      restartStrategy: settings.restartStrategy,
      checkpointing: { interval: settings.checkpointIntervalMs, mode: settings.checkpointMode },
      exitOnFailure: settings.exitOnFailure,
    });
    return {
      module: AppModule,
      imports: [stream],
      providers: [TemperatureAlertsJob, { provide: AlertSettings, useValue: settings.alerts }],
    };
  }
}

function stateBackend({ stateBackend: kind, stateDir, snapshotDir }: ServiceSettings): StateBackendFactory {
  switch (kind) {
    case 'rocksdb':
      return rocksdb({ dir: stateDir });
    case 'filesystem':
      return filesystem({ dir: snapshotDir, instanceDir: stateDir });
    case 'memory':
      return memory({ instanceDir: stateDir });
  }
}
