import { createJob, type Job, type JobDefinition, type JobSettings, json, type LogFactory, type OutOfRangePolicy, sleep, topic, utf8 } from '@weir/core';
import { RecordingTelemetry, SimulatedDisk } from '@weir/testing';
import { kafka } from '../kafka-log.js';
import { brokersForSpecs } from './brokers.js';
import { type ClusterClient, clock, rows, uniqueName } from './cluster-client.js';

/** A job that numbers the values it reads, in one partition: what is lost or repeated shows in every output behind it. */
export const numbering = (input: string, output: string, onOffsetOutOfRange: OutOfRangePolicy = 'fail'): JobDefinition => ({
  define: (streams) =>
    streams
      .source('in', topic(input, { key: utf8, value: utf8 }), { onOffsetOutOfRange })
      .keyBy(utf8, () => 'all', { alreadyPartitioned: { partitioner: () => 0 } })
      .mapWithState<number, string>('count', json<number>(), (value, count = 0) => ({ state: count + 1, value: `${value}:${count + 1}` }))
      .sink('out', topic(output, { key: utf8, value: utf8 })),
});

/** What is told of a job that runs on the real cluster, with a simulated disk, in this process. */
export class JobOnKafka {
  readonly telemetry = new RecordingTelemetry();
  readonly applicationId: string;
  #job: Job | undefined;

  constructor(
    private readonly definition: JobDefinition,
    private readonly settings: Partial<JobSettings> = {},
    private readonly log: LogFactory = kafka({ brokers: brokersForSpecs() }),
    private readonly disk = new SimulatedDisk(),
  ) {
    this.applicationId = settings.applicationId ?? uniqueName('job');
  }

  get job(): Job {
    return this.#job!;
  }

  start(): Job {
    const checkpointing = { interval: 50, ...this.settings.checkpointing };
    const restartStrategy = { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const;
    const settings: JobSettings = { restartStrategy, group: 'none', ...this.settings, applicationId: this.applicationId, checkpointing };
    const ports = { log: this.log, state: this.disk.connect(clock), clock, telemetry: this.telemetry };
    this.#job = createJob('numbering', this.definition, settings, ports);
    this.#job.start();
    return this.#job;
  }

  async stop(): Promise<void> {
    await this.#job?.stop(30_000);
  }
}

/** Waits as long as a slow broker may take. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3_000; i++) {
    if (await condition()) return;
    await sleep(clock, 10);
  }
  throw new Error(`Waited in vain until ${what}`);
}

/** Writes values that are committed at once. */
export async function produce(client: ClusterClient, to: string, ...values: string[]): Promise<void> {
  const appender = await client.log.openAppender();
  await appender.append([{ topic: to, partition: 0, records: rows(...values) }]);
  await appender.close();
}
