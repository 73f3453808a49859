import 'reflect-metadata';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { TestingModule } from '@nestjs/testing';
import { ByteWriter, encodeToBuffer, incarnation, PARTITIONERS } from '@weir/core';
import type { Codec, JobOverview, RecordHeader, Topic } from '@weir/core';
import { InMemoryCluster, inMemoryLog, ManualClock, SimulatedDisk } from '@weir/testing';
import type { JobTestOptions, ProcessClock } from '@weir/testing';
import { FakeHost, RecordedLines } from '../fake-jobs.spec-d.js';
import type { StreamModuleOptions } from '../options.js';
import { StreamModule } from '../stream.module.js';
import { StreamRunner } from '../stream-runner.js';
import { StreamTransport } from '../stream-transport.js';
import { PROCESS_HOST, STREAM_LOGGER } from '../tokens.js';

/** What a spec gives its service. */
export interface RigOptions {
  readonly controllers: readonly Type<object>[];
  readonly providers?: readonly Type<object>[];
  /** Topics to create, with their partitions. */
  readonly topics: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly network?: JobTestOptions['network'];
  readonly module?: Partial<StreamModuleOptions>;
  /** Told of the application before it is started, in place of connecting the transport. */
  readonly prepare?: (app: INestApplication) => void;
}

const APPLICATION = 'service';

/** One life of the service. */
interface SimulatedService {
  readonly app: INestApplication;
  readonly clock: ProcessClock;
  readonly disk: ReturnType<SimulatedDisk['connect']>;
}

/** A committed record, decoded. */
export interface ReadRecord<K, V> {
  readonly key: K | null;
  readonly value: V | null;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
}

/**
 * A real Nest application with controllers, on the real engine and an in-memory log, in simulated time. It can be killed as by SIGKILL,
 * and started again on what log and disk then hold.
 */
export class HandlerRig {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly disk = new SimulatedDisk();
  readonly lines = new RecordedLines();
  readonly #scratch = new ByteWriter();
  #running: SimulatedService | undefined;

  #controllers: readonly Type<object>[];

  private constructor(private readonly options: RigOptions) {
    this.#controllers = options.controllers;
    const seed = options.seed ?? 1;
    this.clock = new ManualClock({ seed });
    this.cluster = new InMemoryCluster({ clock: this.clock, seed, ...options.network });
    for (const [topic, partitions] of Object.entries(options.topics)) this.cluster.createTopic(topic, partitions);
  }

  /** Starts the service, and waits until its jobs run. */
  static async start(options: RigOptions): Promise<HandlerRig> {
    const rig = new HandlerRig(options);
    await rig.start();
    return rig;
  }

  /** A service that is not started: for those that are refused. */
  static of(options: RigOptions): HandlerRig {
    return new HandlerRig(options);
  }

  get app(): INestApplication {
    return this.#running!.app;
  }

  /** The next start has these instead. */
  deploy(...controllers: readonly Type<object>[]): void {
    this.#controllers = controllers;
  }

  async start(): Promise<void> {
    await this.startWithoutWaiting();
    await this.until(() => this.#runner.jobs.every((job) => job.isReady()));
  }

  async startWithoutWaiting(): Promise<void> {
    const clock = this.clock.process();
    const disk = this.disk.connect();
    const module = await this.compile({ clock, state: disk });
    const app = module.createNestApplication({ logger: false });
    this.#running = { app, clock, disk };
    const { prepare = (given) => void given.connectMicroservice({ strategy: given.get(StreamTransport) }) } = this.options;
    prepare(app);
    await app.init();
    await app.startAllMicroservices();
  }

  /** The testing module, from which a spec can also make a microservice. */
  compile(more: Partial<StreamModuleOptions> = {}): Promise<TestingModule> {
    const { providers = [] } = this.options;
    const [disk, clock] = [this.disk.connect(), this.clock];
    const options: StreamModuleOptions = {
      applicationId: APPLICATION,
      log: inMemoryLog(this.cluster),
      state: disk,
      clock,
      http: false,
      checkpointing: { interval: 100 },
      restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 },
      ...this.options.module,
      ...more,
    };
    return Test.createTestingModule({ imports: [StreamModule.forRoot(options), featureOf(this.#controllers, providers)] })
      .overrideProvider(PROCESS_HOST)
      .useValue(new FakeHost())
      .overrideProvider(STREAM_LOGGER)
      .useValue(this.lines)
      .compile();
  }

  get #runner(): StreamRunner {
    return this.app.get(StreamRunner);
  }

  overviews(): readonly JobOverview[] {
    return this.#runner.overviews();
  }

  /** Appends a record by the topic's partitioner; null keys go to partition 0. */
  pipe<K, V>(to: Topic<K, V>, key: K | null, value: V | null, headers: readonly RecordHeader[] = []): void {
    const bytes = <T>(codec: Codec<T>, of: T | null): Buffer | null => (of === null ? null : encodeToBuffer(codec, of, this.#scratch));
    const keyBytes = bytes(to.key, key);
    const { partitions } = this.cluster.describeTopic(to.topic)!;
    const place = typeof to.partitioner === 'string' ? PARTITIONERS[to.partitioner] : to.partitioner;
    const partition = keyBytes === null ? 0 : place(keyBytes, 0, keyBytes.length, partitions);
    this.cluster.produce(to.topic, partition, [{ key: keyBytes, value: bytes(to.value, value), timestamp: this.clock.wall(), headers }]);
  }

  /** Committed records of a topic, by partition and offset. */
  read<K, V>(from: Topic<K, V>): ReadRecord<K, V>[] {
    const decode = <T>(codec: Codec<T>, bytes: Buffer | null): T | null => (bytes === null ? null : codec.decode(bytes, 0, bytes.length));
    const partitions = this.cluster.describeTopic(from.topic)?.partitions ?? 0;
    return Array.from({ length: partitions }, (_, partition) => this.cluster.committedRecords(from.topic, partition))
      .flat()
      .map(({ key, value, timestamp, headers }) => ({ key: decode(from.key, key), value: decode(from.value, value), timestamp, headers }));
  }

  /** Lets time pass until everything that was piped is committed; rejects with what failed a job. False if a planned fault killed it. */
  async checkpoint(inputs: readonly Topic<never, never>[] | readonly { readonly topic: string }[]): Promise<boolean> {
    const isDone = (): boolean => this.cluster.openTransactions().length === 0 && inputs.every(({ topic }) => this.#isCommitted(topic));
    await this.until(() => !this.isAlive || isDone());
    await this.clock.advance(0);
    return this.isAlive;
  }

  get isAlive(): boolean {
    return this.cluster.clients.at(-1)?.isAlive !== false;
  }

  #isCommitted(topic: string): boolean {
    const { partitions } = this.cluster.describeTopic(topic)!;
    const committed = this.cluster.committedOffsets(APPLICATION).filter((each) => each.topic === topic);
    const offsetOf = (partition: number): number => committed.find((each) => each.partition === partition)?.offset ?? 0;
    return Array.from({ length: partitions }, (_, i) => i).every((i) => offsetOf(i) >= this.cluster.endPosition(topic, i).lastStable);
  }

  /** Lets time pass until `condition` holds. @throws Error with the reason if a job has failed */
  async until(condition: () => boolean): Promise<void> {
    const failed = (): JobOverview | undefined => this.overviews().find(({ status }) => status === 'FAILED');
    await this.clock.waitUntil(() => failed() !== undefined || condition());
    const failure = failed();
    if (failure !== undefined) throw new Error(failure.reason);
  }

  /** The reason of the job that fails: waits until one does. */
  async failure(): Promise<string> {
    await this.clock.waitUntil(() => this.overviews().some(({ status }) => status === 'FAILED'));
    return this.overviews().find(({ status }) => status === 'FAILED')!.reason!;
  }

  /** Ends the process as SIGKILL does, and starts another one in its place. */
  async crashAndRecover(): Promise<void> {
    this.kill();
    await this.clock.advance(0);
    await this.start();
  }

  kill(): void {
    const { clock, disk } = this.#running!;
    this.cluster.kill(APPLICATION);
    clock.kill();
    disk.kill();
  }

  /** Ends the service in order, with its final checkpoint. */
  async close(): Promise<void> {
    await this.clock.settled(this.app.close());
  }

  /** The names of changelogs, to see how many sub-topologies there are. */
  changelogs(): string[] {
    return this.cluster.topicNames().filter((name) => name.startsWith(`${APPLICATION}-${incarnation(0)}-`) && name.endsWith('-changelog'));
  }
}

function featureOf(controllers: readonly Type<object>[], providers: readonly Type<object>[]): DynamicModule {
  @Module({})
  class Feature {}
  return { module: Feature, controllers: [...controllers], providers: [...providers] };
}
