import 'reflect-metadata';
import { type DynamicModule, Logger, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { clockOf } from '@weir/core';
import { kafka } from '@weir/kafka';
import { type ServiceSettings, StreamModule } from '@weir/nest';
import { filesystem, memory, rocksdb } from '@weir/storage';
import { JOB_NAMES } from '../jobs/jobs.js';
import { importFromRoot } from '../witness/project-root.js';
import { SABOTAGE_NAMES, type SabotageName } from './sabotage-names.js';
import { type Ports, sabotage } from './sabotage.js';

/**
 * A service (SABOTAGED_JOB names it), broken on purpose: its own job and settings, on ports that break one step (SABOTAGE names it). A
 * program of the rig, which shows that the rig can find what it looks for; nothing in the service knows of it.
 */
interface BrokenService {
  /** Its module of settings, as it is built. */
  readonly settings: { readonly settingsFrom: (environment: NodeJS.ProcessEnv) => ServiceSettings };
  readonly job: Type;
  /** What the job asks for in its constructor, and its part of the settings. */
  readonly ask: Type;
  readonly answer: (settings: ServiceSettings) => unknown;
}

@Module({})
class SabotagedModule {}

async function load(job: string, jobClass: string, settingsClass: string, part: string): Promise<BrokenService> {
  const settings = await importFromRoot<BrokenService['settings'] & Record<string, Type>>(`dist/apps/${job}/service-settings.js`);
  const jobs = await importFromRoot<Record<string, Type>>(`dist/apps/${job}/${job}.job.js`);
  return { settings, job: jobs[jobClass]!, ask: settings[settingsClass]!, answer: (all) => (all as unknown as Record<string, unknown>)[part] };
}

function serviceOf(job: string | undefined): Promise<BrokenService> {
  switch (job) {
    case 'temperature-alerts':
      return load(job, 'TemperatureAlertsJob', 'AlertSettings', 'alerts');
    case 'site-alarms':
      return load(job, 'SiteAlarmsJob', 'SiteAlarmSettings', 'alarms');
    default:
      throw new Error(`SABOTAGED_JOB is ${job}; allowed: ${JOB_NAMES.join(', ')}`);
  }
}

async function main(): Promise<void> {
  const service = await serviceOf(process.env['SABOTAGED_JOB']);
  const settings = service.settings.settingsFrom(process.env);
  const stream = StreamModule.forRoot({
    applicationId: settings.applicationId,
    group: settings.group,
    parallelism: settings.parallelism,
    checkpointing: { interval: settings.checkpointIntervalMs },
    exitOnFailure: true,
    ...sabotagedPorts(settings),
  });
  const root: DynamicModule = {
    module: SabotagedModule,
    imports: [stream],
    providers: [service.job, { provide: service.ask, useValue: service.answer(settings) }],
  };
  const app = await NestFactory.create(root);
  app.enableShutdownHooks();
  await app.listen(settings.port, settings.host);
  new Logger('Sabotaged').log(`HTTP on ${await app.getUrl()}: sabotage ${process.env['SABOTAGE']}`);
}

function sabotagedPorts({ brokers, stateBackend, stateDir, snapshotDir }: ServiceSettings): Ports {
  const name = SABOTAGE_NAMES.find((each): each is SabotageName => each === process.env['SABOTAGE']);
  if (name === undefined) throw new Error(`SABOTAGE is ${process.env['SABOTAGE']}; allowed: ${SABOTAGE_NAMES.join(', ')}`);
  const state = { rocksdb: () => rocksdb({ dir: stateDir }), filesystem: () => filesystem({ dir: snapshotDir }), memory: () => memory() }[stateBackend]();
  return sabotage(name, { log: kafka({ brokers }), state }, clockOf(globalThis), String(process.pid));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
