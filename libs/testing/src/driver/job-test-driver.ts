import {
  ByteWriter,
  changelogTopic,
  createJob,
  encodeToBuffer,
  incarnation,
  type Clock,
  type Codec,
  type Job,
  type JobDefinition,
  type JobOutcome,
  type JobOverview,
  type JobSettings,
  type LogFactory,
  PARTITIONERS,
  type RecordHeader,
  type SnapshotStore,
  type StateBackendFactory,
  type Topic,
} from '@weir/core';
import { ManualClock, type ProcessClock } from '../manual-clock.js';
import { RecordingTelemetry } from '../recording-telemetry.js';
import type { ClusterOptions } from '../memory-log/cluster-options.js';
import { InMemoryCluster } from '../memory-log/in-memory-cluster.js';
import type { InMemoryLog } from '../memory-log/memory-log.js';
import { InMemorySnapshots, type SnapshotsConnection } from '../snapshots/in-memory-snapshots.js';
import { CommittedState, type OneValueDescriptor } from './committed-state.js';
import { type DiskConnection, SimulatedDisk } from './simulated-disk.js';

/**
 * JobTestDriver: runs a whole job in a spec, with simulated time, on an in-memory log with Kafka's semantics and a simulated disk.
 *
 *   const driver = await JobTestDriver.start(new MyJob(), { topics: { readings: 2 } });
 *   driver.pipe(readings, 's1', { id: 's1', timestamp: 1, temperature: 20 });
 *   await driver.checkpoint();
 *   expect(driver.read(alerts)).toEqual([...]);
 *   await driver.crash();
 *   await driver.recover();
 *
 * Outputs appear at the checkpoint, as in production. Nothing here needs a network, a disk or real time; the same seed gives the same
 * run. The cluster, the clock, the disk and what was told to telemetry are there to be looked at and meddled with.
 */
export class JobTestDriver {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly disk = new SimulatedDisk();
  /** Outlives processes, as the disk does; for backends that `state` makes on it. */
  readonly snapshots: InMemorySnapshots;
  readonly telemetry = new RecordingTelemetry();
  readonly #settings: JobSettings;
  /** Offset behind what `read` has given, by topic and partition. */
  readonly #read = new Map<string, number>();
  readonly #scratch = new ByteWriter();
  #turn = 0;
  #running: { readonly job: Job; readonly process: SimulatedProcess } | undefined;

  private constructor(
    private readonly definition: JobDefinition,
    private readonly options: JobTestOptions,
  ) {
    this.clock = options.clock ?? new ManualClock({ seed: options.seed ?? 1 });
    this.cluster = options.cluster ?? new InMemoryCluster({ clock: this.clock, seed: options.seed ?? 1, ...options.network });
    this.snapshots = options.snapshots ?? new InMemorySnapshots({ seed: options.seed ?? 1 });
    this.#settings = { applicationId: 'test', group: 'none', ...options.settings };
    for (const [topic, partitions] of Object.entries(options.topics)) {
      if (this.cluster.describeTopic(topic) === undefined) this.cluster.createTopic(topic, partitions);
    }
  }

  /**
   * Starts the job and waits until it runs.
   * @throws WeirError `invalid` for a definition or settings that cannot work; the error that failed the job, if it did
   */
  static async start(definition: JobDefinition, options: JobTestOptions): Promise<JobTestDriver> {
    const driver = new JobTestDriver(definition, options);
    await driver.recover();
    return driver;
  }

  /** The same, without waiting until it runs: for jobs that are to fail or wait at their start. */
  static startWithoutWaiting(definition: JobDefinition, options: JobTestOptions): JobTestDriver {
    const driver = new JobTestDriver(definition, options);
    driver.#startProcess();
    return driver;
  }

  get job(): Job {
    if (this.#running === undefined) throw new Error('The job does not run: it has crashed or was stopped. Call recover() first.');
    return this.#running.job;
  }

  /** Whether the process lives: not crashed, not stopped, not killed by a planned fault. */
  get isAlive(): boolean {
    return this.#running?.process.isAlive ?? false;
  }

  overview(): JobOverview {
    return this.job.overview();
  }

  /** Appends a record to an input, by the topic's partitioner unless a partition is given; null keys take the partitions in turn. */
  pipe<K, V>(to: Topic<K, V>, key: K | null, value: V | null, options: PipeOptions = {}): void {
    const keyBytes = key === null ? null : this.#bytes(to.key, key);
    const valueBytes = value === null ? null : this.#bytes(to.value, value);
    const partitions = this.cluster.describeTopic(to.topic)?.partitions ?? 1;
    const partition = options.partition ?? this.#partitionOf(to, keyBytes, partitions);
    const timestamp = options.timestamp ?? this.clock.wall();
    this.cluster.produce(to.topic, partition, [{ key: keyBytes, value: valueBytes, timestamp, headers: options.headers ?? [] }]);
  }

  #partitionOf({ partitioner }: Topic<never, never> | Topic<unknown, unknown>, key: Buffer | null, partitions: number): number {
    if (key === null) return this.#turn++ % partitions;
    const place = typeof partitioner === 'string' ? PARTITIONERS[partitioner] : partitioner;
    return place(key, 0, key.length, partitions);
  }

  #bytes<T>(codec: Codec<T>, value: T): Buffer {
    return encodeToBuffer(codec, value, this.#scratch);
  }

  /** Lets time pass. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /**
   * Lets time pass until everything piped so far is processed and committed, by every stage of the job.
   *
   * Behind a shuffle that is so once a round is complete that completes after the inputs were committed: a task commits nothing
   * between its barrier and the end of the round (R1), so those commits lie before the barriers of that round.
   * @throws the error that failed the job, if it did
   */
  async checkpoint(): Promise<void> {
    await this.until(() => this.#inputsCommitted());
    if (this.overview().tasks.some(({ subTopology }) => subTopology > 0)) {
      const { completed } = this.overview().checkpoints;
      await this.until(() => this.overview().checkpoints.completed > completed);
    }
    // Markers of a commit reach the partitions one after another: outputs of an ended transaction may still be on their way.
    await this.until(() => this.cluster.openTransactions().length === 0);
    // The commit's last step, the write to the store, follows the offsets.
    await this.clock.advance(0);
  }

  #inputsCommitted(): boolean {
    const group = this.#settings.applicationId;
    const committed = new Map(this.cluster.committedOffsets(group).map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset as number]));
    return this.#inputs().every(({ topic, partition, end }) => end === 0 || (committed.get(`${topic}-${partition}`) ?? 0) >= end);
  }

  #inputs(): { readonly topic: string; readonly partition: number; readonly end: number }[] {
    return Object.keys(this.options.topics)
      .filter((topic) => !(this.options.outputs ?? []).includes(topic))
      .flatMap((topic) => {
        const partitions = this.cluster.describeTopic(topic)?.partitions ?? 0;
        return Array.from({ length: partitions }, (_, partition) => ({ topic, partition, end: this.cluster.endPosition(topic, partition).lastStable }));
      });
  }

  /** Committed records of an output that were not read before, by partition and offset. */
  read<K, V>(from: Topic<K, V>): OutputRecord<K, V>[] {
    return this.readAll(from).filter(({ partition, offset }) => {
      const name = `${from.topic}-${partition}`;
      const isNew = offset >= (this.#read.get(name) ?? 0);
      if (isNew) this.#read.set(name, offset + 1);
      return isNew;
    });
  }

  /** All committed records of an output, in the order of their offsets within each partition. */
  readAll<K, V>(from: Topic<K, V>): OutputRecord<K, V>[] {
    const partitions = this.cluster.describeTopic(from.topic)?.partitions ?? 0;
    const records = Array.from({ length: partitions }, (_, partition) => this.cluster.committedRecords(from.topic, partition)).flat();
    const decode = <T>(codec: Codec<T>, bytes: Buffer | null): T | null => (bytes === null ? null : codec.decode(bytes, 0, bytes.length));
    return records.map(({ partition, offset, timestamp, headers, key, value }) => {
      return { partition, offset, timestamp, headers, key: decode(from.key, key), value: decode(from.value, value) };
    });
  }

  /** The committed value of a key's state, as the changelog has it; undefined if it has none. Of an aggregating state it is the accumulator. */
  state<K, T>(operator: string, descriptor: OneValueDescriptor<T>, keyCodec: Codec<K>, key: K): T | undefined {
    return this.stateReader(operator, descriptor, keyCodec)(key);
  }

  /** Looks up many keys' states, as they are now: the changelogs are replayed once. */
  stateReader<K, T>(operator: string, descriptor: OneValueDescriptor<T>, keyCodec: Codec<K>): (key: K) => T | undefined {
    const committed = this.committedState(operator, keyCodec);
    return (key) => committed.value(descriptor, key);
  }

  /** The states of an operator's keys of every kind, as the changelogs have them now. */
  committedState<K>(operator: string, keyCodec: Codec<K>): CommittedState<K> {
    return new CommittedState([...this.changelogs().values()], operator, keyCodec, this.#settings.maxParallelism ?? 128);
  }

  /** What a replay of each task's changelog gives, by `sub-topology-task`: values by their stored key's bytes as latin1. */
  changelogs(): ReadonlyMap<string, ReadonlyMap<string, Buffer>> {
    const changelogs = new Map<string, ReadonlyMap<string, Buffer>>();
    const { applicationId } = this.#settings;
    for (let sub = 0; ; sub++) {
      const topic = changelogTopic(applicationId, incarnation(0), sub);
      const found = this.cluster.describeTopic(topic);
      if (found === undefined) return changelogs;
      for (let task = 0; task < found.partitions; task++) changelogs.set(`${sub}-${task}`, this.#replay(topic, task));
    }
  }

  #replay(topic: string, partition: number): ReadonlyMap<string, Buffer> {
    const state = new Map<string, Buffer>();
    for (const { key, value } of this.cluster.committedRecords(topic, partition)) {
      if (value === null) state.delete(key!.toString('latin1'));
      else state.set(key!.toString('latin1'), value);
    }
    return state;
  }

  /** Ends the process as SIGKILL does: nothing it began takes effect any more. The log and the disk stay as they are. */
  async crash(): Promise<void> {
    this.#running?.process.kill();
    this.#running = undefined;
    await this.clock.advance(0);
  }

  /**
   * Stops the process as SIGSTOP does: time goes on, and it neither sends nor hears anything until `resume`. What it has sent and the log has
   * not taken yet arrives then. A log whose requests take no time (`travelMs` from 0) may still take one that was about to be sent.
   */
  pause(): void {
    this.#running?.process.clock.pause();
  }

  /** As SIGCONT does: it goes on where it was, and does not know that time has passed. */
  resume(): void {
    this.#running?.process.clock.resume();
  }

  /** Starts the job again without waiting until it runs: beside other replicas it may be given nothing to do. */
  recoverWithoutWaiting(): void {
    this.#startProcess();
  }

  /** Starts the job again, and waits until it runs. */
  async recover(): Promise<void> {
    this.#startProcess();
    await this.until(() => this.job.isReady());
  }

  #startProcess(): void {
    if (this.#running !== undefined) throw new Error('The job runs already. Call crash() or stop() first.');
    const { name = 'test-job', state = same, log: wrapLog = same } = this.options;
    const process = new SimulatedProcess(this.clock.process(), this.cluster, this.disk, this.snapshots);
    const { clock } = process;
    const ports = { log: wrapLog(process.log), state: state(process.disk, process), clock, telemetry: this.telemetry };
    const job = createJob(name, this.definition, this.#settings, ports);
    this.#running = { job, process };
    job.start();
  }

  /** Stops the job in order, with its final checkpoint, and ends the process: what runs on past the deadline dies with it. */
  async stop(deadlineMs = 10_000): Promise<JobOutcome> {
    const { job } = this;
    const outcome = await this.clock.settled(job.stop(deadlineMs));
    await this.crash();
    return outcome;
  }

  /** Waits until the job has ended by itself. */
  ended(): Promise<JobOutcome> {
    return this.clock.settled(this.job.ended);
  }

  /** Lets time pass until `condition` holds. @throws the error that failed the job, if it did; ProcessKilled if a planned fault struck */
  async until(condition: () => boolean): Promise<void> {
    let outcome: JobOutcome | undefined;
    void this.job.ended.then((end) => (outcome = end));
    await this.clock.waitUntil(() => outcome !== undefined || !this.isAlive || condition());
    if (!this.isAlive) throw new ProcessKilled();
    if (outcome?.status === 'FAILED') throw outcome.error;
  }
}

const same = <T>(given: T): T => given;

/** Thrown by what waits for a process that a planned fault has killed. Go on with `crash()`, then `recover()`. */
export class ProcessKilled extends Error {
  override readonly name = 'ProcessKilled';

  constructor() {
    super('A planned fault has killed the process. Call crash() to bury it, then recover().');
  }
}

/** A process of its own, with its own clients, timers and open files: several may share a cluster, a clock and an application id. */
class SimulatedProcess {
  readonly log: LogFactory;
  readonly disk: DiskConnection;
  readonly snapshots: SnapshotsConnection;
  readonly #clients: InMemoryLog[] = [];
  #killed = false;

  constructor(
    readonly clock: ProcessClock,
    cluster: InMemoryCluster,
    disk: SimulatedDisk,
    snapshots: InMemorySnapshots,
  ) {
    this.snapshots = snapshots.connect({ clock, onKill: () => this.kill() });
    this.disk = disk.connect(clock);
    this.log = {
      open: (context) => {
        const client = cluster.log(context);
        this.#clients.push(client);
        return Promise.resolve(client);
      },
    };
  }

  get isAlive(): boolean {
    return !this.#killed && this.#clients.every((client) => client.isAlive);
  }

  kill(): void {
    this.#killed = true;
    this.snapshots.kill();
    for (const client of this.#clients) client.kill();
    this.clock.kill();
    this.disk.kill();
  }
}

export interface JobTestOptions {
  /** Topics to create before the start, with their number of partitions. All but `outputs` count as inputs. */
  readonly topics: Readonly<Record<string, number>>;
  /** Those of `topics` that the job writes. */
  readonly outputs?: readonly string[];
  /** Default: `applicationId: 'test'`, and `group: 'none'`, for nobody shares the tasks of a lone driver. */
  readonly settings?: Partial<JobSettings>;
  /** Default `test-job`. */
  readonly name?: string;
  /** Default 1. */
  readonly seed?: number;
  /** Delays and chunk sizes of the log; default none, see LIFELIKE. */
  readonly network?: Omit<ClusterOptions, 'clock' | 'seed'>;
  /** Puts something between the job and the simulated disk, or another backend in its place. */
  readonly state?: (disk: StateBackendFactory, process: ProcessPorts) => StateBackendFactory;
  /** Puts something between the job and the log. */
  readonly log?: (log: LogFactory) => LogFactory;
  /** To share them with others. */
  readonly clock?: ManualClock;
  readonly cluster?: InMemoryCluster;
  readonly snapshots?: InMemorySnapshots;
}

/** What a backend of one simulated process may need: both die with it. */
export interface ProcessPorts {
  readonly clock: Clock;
  readonly snapshots: SnapshotStore;
}

export interface PipeOptions {
  /** Milliseconds since the epoch; default the clock's wall time. */
  readonly timestamp?: number;
  readonly partition?: number;
  readonly headers?: readonly RecordHeader[];
}

export interface OutputRecord<K, V> {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly headers: readonly RecordHeader[];
  readonly key: K | null;
  readonly value: V | null;
}
