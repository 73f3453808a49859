import { javaCommand } from '../witness/java-kafka.js';
import { LineProcess } from '../witness/line-process.js';
import type { FlowSink } from './flow.js';
import type { FedRecord } from './sensor-walk.js';

export interface FeederOptions {
  /** `host:port`, several with commas. */
  readonly brokers: string;
  readonly topic: string;
  /** How the producer packs its batches: by Kafka's names. */
  readonly compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Undefined: without transactions. */
  readonly transactionalId: string | undefined;
}

/** Kafka's own Java producer, which chooses the partition of a key as Java clients do; runs java/Feeder.java. */
export class Feeder implements FlowSink {
  readonly #process: LineProcess;
  readonly #waiting = new Map<string, (line: string) => void>();
  #failed: Promise<never>;

  private constructor(
    command: readonly [string, ...string[]],
    private readonly topic: string,
  ) {
    this.#process = new LineProcess({ command, onLine: (line) => this.#onLine(line) });
    this.#failed = this.#process.ended.then(({ code, signal }) => {
      throw new Error(`the feeder ended (${signal ?? code}): ${this.#process.lastWords}`);
    });
    this.#failed.catch(() => undefined); // told to whoever waits
  }

  /** @throws Error that says what is missing */
  static async start({ brokers, topic, compression, transactionalId }: FeederOptions): Promise<Feeder> {
    const feeder = new Feeder(await javaCommand('Feeder', [brokers, compression, transactionalId ?? '-']), topic);
    await feeder.#answer('ready');
    return feeder;
  }

  async create(topic: string, partitions: number): Promise<void> {
    await this.#process.write(`create ${topic} ${partitions}`);
    await this.#answer(`created ${topic}`);
  }

  async send({ topic = this.topic, key, value }: FedRecord): Promise<void> {
    await this.#process.write(value === null ? `remove ${topic} ${key}` : `send ${topic} ${key} ${value}`);
    if (this.#process.end !== undefined) await this.#failed;
  }

  async endTransaction(how: 'commit' | 'abort'): Promise<void> {
    await this.#process.write(how);
  }

  /** Resolves once all that was sent is acknowledged. @returns how many records that were, since the start */
  async flush(): Promise<number> {
    await this.#process.write('flush');
    return Number((await this.#answer('flushed')).split(' ')[1]);
  }

  async close(): Promise<void> {
    await this.#process.kill();
  }

  #answer(start: string): Promise<string> {
    return Promise.race([new Promise<string>((resolve) => this.#waiting.set(start, resolve)), this.#failed]);
  }

  #onLine(line: string): void {
    for (const [start, resolve] of this.#waiting) {
      if (!line.startsWith(start)) continue;
      this.#waiting.delete(start);
      resolve(line);
    }
  }
}
