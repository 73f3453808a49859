import 'reflect-metadata';
import { type DynamicModule, Logger, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { clockOf } from '@weir/core';
import { kafka } from '@weir/kafka';
import { StreamModule } from '@weir/nest';
import { memory, rocksdb } from '@weir/storage';
import { importFromRoot } from '../witness/project-root.js';
import { SABOTAGE_NAMES, type SabotageName } from './sabotage-names.js';
import { type Ports, sabotage } from './sabotage.js';

/**
 * The temperature alert service, broken on purpose: the service's own job and settings, on ports that break one step (SABOTAGE names it). A
 * program of the rig, which shows that the rig can find what it looks for; nothing in the service knows of it.
 */
interface ServiceSettings {
  readonly brokers: readonly string[];
  readonly applicationId: string;
  readonly stateDir: string;
  readonly stateBackend: 'rocksdb' | 'memory';
  readonly host: string;
  readonly port: number;
  readonly checkpointIntervalMs: number;
  readonly parallelism: number | undefined;
  readonly alerts: object;
}

interface SettingsModule {
  readonly settingsFrom: (environment: NodeJS.ProcessEnv) => ServiceSettings;
  readonly AlertSettings: Type;
}

interface JobModule {
  readonly TemperatureAlertsJob: Type;
}

@Module({})
class SabotagedModule {}

const SERVICE = 'dist/apps/temperature-alerts';

async function main(): Promise<void> {
  const { settingsFrom, AlertSettings } = await importFromRoot<SettingsModule>(`${SERVICE}/service-settings.js`);
  const { TemperatureAlertsJob } = await importFromRoot<JobModule>(`${SERVICE}/temperature-alerts.job.js`);
  const settings = settingsFrom(process.env);
  const stream = StreamModule.forRoot({
    applicationId: settings.applicationId,
    parallelism: settings.parallelism,
    checkpointing: { interval: settings.checkpointIntervalMs },
    exitOnFailure: true,
    ...sabotagedPorts(settings),
  });
  const root: DynamicModule = {
    module: SabotagedModule,
    imports: [stream],
    providers: [TemperatureAlertsJob, { provide: AlertSettings, useValue: settings.alerts }],
  };
  const app = await NestFactory.create(root);
  app.enableShutdownHooks();
  await app.listen(settings.port, settings.host);
  new Logger('Sabotaged').log(`HTTP on ${await app.getUrl()}: sabotage ${process.env['SABOTAGE']}`);
}

function sabotagedPorts({ brokers, stateBackend, stateDir }: ServiceSettings): Ports {
  const name = SABOTAGE_NAMES.find((each): each is SabotageName => each === process.env['SABOTAGE']);
  if (name === undefined) throw new Error(`SABOTAGE is ${process.env['SABOTAGE']}; allowed: ${SABOTAGE_NAMES.join(', ')}`);
  const state = stateBackend === 'rocksdb' ? rocksdb({ dir: stateDir }) : memory();
  return sabotage(name, { log: kafka({ brokers }), state }, clockOf(globalThis), String(process.pid));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
