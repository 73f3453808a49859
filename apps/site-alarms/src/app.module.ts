import { type DynamicModule, Module } from '@nestjs/common';
import type { StateBackendFactory } from '@weir/core';
import { kafka } from '@weir/kafka';
import { type ServiceSettings, StreamModule } from '@weir/nest';
import { filesystem, memory, rocksdb } from '@weir/storage';
import { SiteAlarmSettings, type SiteAlarmServiceSettings } from './service-settings.js';
import { SiteAlarmsJob } from './site-alarms.job.js';

@Module({})
export class AppModule {
  static forSettings(settings: SiteAlarmServiceSettings): DynamicModule {
    const stream = StreamModule.forRoot({
      applicationId: settings.applicationId,
      log: kafka({ brokers: settings.brokers }),
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
      providers: [SiteAlarmsJob, { provide: SiteAlarmSettings, useValue: settings.alarms }],
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
