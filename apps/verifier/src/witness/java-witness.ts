import { javaCommand } from './java-kafka.js';
import { LineProcess } from './line-process.js';
import type { SeenEnds, SeenRecord } from './seen-record.js';

interface Question {
  readonly onLine: (line: string) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Kafka's own Java client as a witness: asks java/Witness.java, one question after the other. It only reads. */
export class JavaWitness {
  readonly #process: LineProcess;
  readonly #questions: Question[] = [];
  readonly #followers = new Map<string, (record: SeenRecord) => void>();

  private constructor(command: readonly [string, ...string[]]) {
    this.#process = new LineProcess({ command, onLine: (line) => this.#onLine(line) });
    void this.#process.ended.then(({ code, signal }) => {
      for (const { reject } of this.#questions.splice(0))
        reject(new Error(`the Java witness ended (${signal ?? code}): ${this.#process.lastWords}`));
    });
  }

  /** @param brokers `host:port`, several with commas. @throws Error that says what is missing */
  static async start(brokers: string): Promise<JavaWitness> {
    const witness = new JavaWitness(await javaCommand('Witness', [brokers]));
    await witness.#ask(undefined, () => undefined);
    return witness;
  }

  /** Every record from the start to the end as it is now, each partition in order. */
  async read(topic: string, level: 'committed' | 'uncommitted', onRecord: (record: SeenRecord) => void): Promise<void> {
    await this.#ask(`read ${topic} ${level}`, (line) => onRecord(recordOf(line.split(' '), 1)));
  }

  /** Value of the last committed record with a key, by partition. */
  async last(topic: string, key: Buffer): Promise<ReadonlyMap<number, Buffer>> {
    const values = new Map<number, Buffer>();
    await this.#ask(`last ${topic} ${key.toString('base64')}`, (line) => {
      const [, partition, , value] = line.split(' ') as [string, string, string, string];
      values.set(Number(partition), bytesOf(value) ?? Buffer.alloc(0));
    });
    return values;
  }

  /** By partition; empty if there is no such topic. */
  async ends(topic: string): Promise<readonly SeenEnds[]> {
    const ends: SeenEnds[] = [];
    await this.#ask(`ends ${topic}`, (line) => {
      const [partition, start, lastStable, highWatermark] = line.split(' ').slice(1).map(Number) as [number, number, number, number];
      ends.push({ partition, start, lastStable, highWatermark });
    });
    return ends;
  }

  /** Next offset by partition of a topic, as a group has committed it. */
  async groupOffsets(group: string, topic: string): Promise<ReadonlyMap<number, number>> {
    const offsets = new Map<number, number>();
    await this.#ask(`offsets ${group}`, (line) => {
      const [, of, partition, offset] = line.split(' ');
      if (of === topic) offsets.set(Number(partition), Number(offset));
    });
    return offsets;
  }

  /** The open transactions of a topic, in words. */
  async openTransactions(topic: string): Promise<readonly string[]> {
    const open: string[] = [];
    await this.#ask(`open ${topic}`, (line) => {
      const [, partition, producer, epoch, start] = line.split(' ');
      open.push(`${topic}-${partition}: producer ${producer}, epoch ${epoch}, since offset ${start}`);
    });
    return open;
  }

  /** How many replicas of partitions, of all topics, are not in sync; partitions without a leader among them. */
  async lagging(): Promise<number> {
    let lagging = 0;
    await this.#ask('lagging', (line) => {
      lagging = Number(line.split(' ')[1]);
    });
    return lagging;
  }

  /** Reads a topic's committed records from its start for as long as it takes. */
  async follow(topic: string, onRecord: (record: SeenRecord) => void): Promise<void> {
    this.#followers.set(topic, onRecord);
    await this.#ask(`follow ${topic}`, () => undefined);
  }

  /** Resolves once the follower has read up to the last stable offsets as they are now. */
  async unfollow(topic: string): Promise<void> {
    await this.#ask(`unfollow ${topic}`, () => undefined);
    this.#followers.delete(topic);
  }

  async close(): Promise<void> {
    await this.#process.kill();
  }

  #ask(command: string | undefined, onLine: (line: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#process.end !== undefined) reject(new Error(`the Java witness ended: ${this.#process.lastWords}`));
      this.#questions.push({ onLine, resolve, reject });
      if (command !== undefined) void this.#process.write(command);
    });
  }

  #onLine(line: string): void {
    if (line.startsWith('f ')) {
      const words = line.split(' ');
      this.#followers.get(words[1]!)?.(recordOf(words, 2));
      return;
    }
    if (line === 'ready' || line === 'done') this.#questions.shift()?.resolve();
    else if (line.startsWith('error ')) this.#questions.shift()?.reject(new Error(`the Java witness says: ${line.slice(6)}`));
    else this.#questions[0]?.onLine(line);
  }
}

function recordOf(words: readonly string[], from: number): SeenRecord {
  const [partition, offset, home, key, value] = words.slice(from) as [string, string, string, string, string];
  return { partition: Number(partition), offset: Number(offset), home: Number(home), key: bytesOf(key), value: bytesOf(value) };
}

/** `-` is null, `.` empty, anything else base64. */
const bytesOf = (word: string): Buffer | null => (word === '-' ? null : Buffer.from(word === '.' ? '' : word, 'base64'));
