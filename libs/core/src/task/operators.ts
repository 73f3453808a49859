import type { Codec } from '../codec/codec.js';
import { errors, problemOf, showBytes } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { ByteWriter } from '../model/byte-writer.js';
import { PARTITIONERS, type PartitionFunction } from '../model/partitioner.js';
import { NULL, type RecordWriter } from '../model/record-columns.js';
import type { LogChunk } from '../ports/log.js';
import type { Collector } from '../topology/functions.js';
import type { SinkNode, SourceNode, StatelessFunction } from '../topology/graph.js';
import type { RecordView } from '../topology/record-view.js';
import type { BadRecordRule } from './bad-records.js';
import type { EpochEffects } from './epoch-effects.js';
import type { RecordContext } from './record-context.js';

/**
 * The operators of a running task: one small class per kind of node, joined by `receive`. Values are passed on synchronously, depth
 * first, and the record they came from is in the task's RecordContext. Only keyBy stops the flow: it gathers a chunk's records, so that
 * the state of all their keys is read in one multi-get, and goes on with them when the chunk is through (keyed-operators.ts).
 */
export interface Receiver {
  receive(value: unknown): void;
}

/** An operator that a sub-topology begins with: what a topic's chunks go into. */
export interface HeadOperator {
  /** Takes rows [from, to) of a chunk. */
  run(chunk: LogChunk, from: number, to: number): void;
}

/** Hands each value to several readers, in the order of definition. */
export class FanOut implements Receiver {
  constructor(private readonly readers: readonly Receiver[]) {}

  receive(value: unknown): void {
    for (const reader of this.readers) reader.receive(value);
  }
}

export class SourceOperator implements HeadOperator {
  constructor(
    private readonly node: SourceNode,
    private readonly context: RecordContext,
    private readonly next: Receiver,
    /** Whether anything behind the source asks for the record's own key. */
    private readonly keyIsRead: boolean,
    private readonly bad: BadRecordRule,
  ) {}

  /** Decodes the rows and sends them on. */
  run(chunk: LogChunk, from: number, to: number): void {
    const { context, next, node, keyIsRead } = this;
    const { records } = chunk;
    const { buffer, valueStart, valueEnd } = records;
    const { key: keyCodec, value: valueCodec } = node.topic;
    context.topic = chunk.topic;
    context.partition = chunk.partition;
    context.columns = records;
    context.key = null;
    for (let row = from; row < to; row++) {
      context.row = row;
      let value: unknown;
      try {
        if (keyIsRead) context.key = decodePart('key', keyCodec, buffer, records.keyStart[row]!, records.keyEnd[row]!, context);
        value = decodePart('value', valueCodec, buffer, valueStart[row]!, valueEnd[row]!, context);
      } catch (thrown) {
        this.bad.handle(thrown);
        continue;
      }
      next.receive(value);
    }
  }
}

/** A key or a value in bytes [start, end); null for a null one. @throws WeirError `data` RECORD_UNDECODABLE */
export function decodePart(part: 'key' | 'value', codec: Codec<unknown>, buffer: Buffer, start: number, end: number, context: RecordContext): unknown {
  if (start === NULL) return null;
  try {
    return codec.decode(buffer, start, end);
  } catch (thrown) {
    const { topic, partition, offset } = context;
    const facts = { topic, partition, offset, part, codec: codec.id, problem: problemOf(thrown), bytes: showBytes(buffer, start, end) };
    throw errors.recordUndecodable(facts, thrown);
  }
}

/** Deals with what a user's function threw; errors of operators behind it pass as they are, for those have dealt with them (B1). */
export function onThrown(thrown: unknown, bad: BadRecordRule, context: RecordContext): void {
  if (isWeirError(thrown)) throw thrown;
  bad.handle(functionFailed(thrown, bad.operator, context));
}

/** What a user's function threw, with the place; errors of operators behind it pass as they are. */
export function functionFailed(thrown: unknown, operator: string, { topic, partition, offset }: RecordContext): unknown {
  return isWeirError(thrown) ? thrown : errors.functionFailed({ operator, topic, partition, offset, problem: problemOf(thrown) }, thrown);
}

export class StatelessOperator implements Receiver {
  readonly #run: (value: unknown) => void;

  constructor(
    private readonly context: RecordContext,
    fn: StatelessFunction,
    next: Receiver,
    private readonly bad: BadRecordRule,
  ) {
    this.#run = fn.type === 'entries' ? entriesOf(bad, context, next) : runOf(fn, context, next);
  }

  receive(value: unknown): void {
    try {
      this.#run(value);
    } catch (thrown) {
      onThrown(thrown, this.bad, this.context);
    }
  }
}

function entriesOf(bad: BadRecordRule, context: RecordContext, next: Receiver): (value: unknown) => void {
  return (value) => {
    const { key, topic, partition, offset } = context;
    if (key === null || key === undefined) bad.handle(errors.keyNull({ operator: bad.operator, topic, partition, offset }));
    else next.receive({ key, value });
  };
}

function runOf(fn: Exclude<StatelessFunction, { type: 'entries' }>, record: RecordView, next: Receiver): (value: unknown) => void {
  const out: Collector<unknown> = { collect: (result) => next.receive(result) };
  switch (fn.type) {
    case 'map':
      return (value) => next.receive(fn.map(value, record));
    case 'filter':
      return (value) => {
        if (fn.filter(value, record)) next.receive(value);
      };
    case 'flatMap':
      return (value) => fn.flatMap(value, out, record);
  }
}

/** Writes values to a topic's partitions, by key; null keys take the partitions in turn. */
export class SinkOperator implements Receiver {
  readonly #place: PartitionFunction;
  readonly #key = new ByteWriter(64);
  #effects: EpochEffects | undefined;
  #next = 0;

  constructor(
    private readonly node: SinkNode,
    private readonly context: RecordContext,
    private readonly partitions: number,
    /** For records without a timestamp. */
    private readonly wallTime: () => number,
    private readonly bad: BadRecordRule,
  ) {
    const { partitioner } = node.topic;
    this.#place = typeof partitioner === 'string' ? PARTITIONERS[partitioner] : partitioner;
  }

  /** Where to write from now on. */
  writeTo(effects: EpochEffects): void {
    this.#effects = effects;
  }

  receive(value: unknown): void {
    const { context, node } = this;
    try {
      this.#write(value, context.key);
    } catch (thrown) {
      if (isWeirError(thrown)) throw thrown;
      const { topic, partition, offset } = context;
      const codec = `${node.topic.key.id} key and ${node.topic.value.id} value`;
      this.bad.handle(errors.outputUnencodable({ target: `a record for sink ${node.name}`, codec, problem: problemOf(thrown), topic, partition, offset }, thrown));
    }
  }

  #write(value: unknown, key: unknown): void {
    const { topic } = this.node;
    const hasKey = key !== null && key !== undefined;
    const partition = hasKey ? this.#placeKey(key) : this.#next++ % this.partitions;
    const writer = this.#effects!.writersOf(topic.topic, this.partitions)[partition]!;
    writeRecord(writer, this.context, this.wallTime, hasKey ? this.#key : undefined, topic.value, value);
  }

  #placeKey(key: unknown): number {
    this.#key.clear();
    this.node.topic.key.encode(key, this.#key);
    const partition = this.#place(this.#key.buffer, 0, this.#key.length, this.partitions);
    if (Number.isInteger(partition) && partition >= 0 && partition < this.partitions) return partition;
    throw new RangeError(`its partitioner gave partition ${partition}, and ${this.node.topic.topic} has ${this.partitions}`);
  }
}

/** Appends a record with the timestamp and the headers of the one that is processed. @param key its bytes; undefined for none */
export function writeRecord(
  writer: RecordWriter,
  { columns, row }: RecordContext,
  wallTime: () => number,
  key: ByteWriter | undefined,
  codec: Codec<unknown>,
  value: unknown,
): void {
  const timestamp = columns.timestamp[row]!;
  writer.begin(timestamp < 0 ? wallTime() : timestamp);
  if (key !== undefined) {
    writer.bytes.writeBytes(key.buffer, 0, key.length);
    writer.keyDone();
  }
  if (value !== null) {
    codec.encode(value, writer.bytes);
    writer.valueDone();
  }
  const headersEnd = columns.headersEnd[row]!;
  const headersStart = columns.headersStart[row]!;
  if (headersEnd > headersStart) {
    writer.bytes.writeBytes(columns.buffer, headersStart, headersEnd);
    writer.headersDone();
  }
  writer.end();
}
