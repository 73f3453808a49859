import { type Barrier, barrierIn } from '../checkpoint/barrier.js';
import { errors, problemOf } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { ByteWriter } from '../model/byte-writer.js';
import { PARTITIONERS } from '../model/partitioner.js';
import type { LogChunk } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import type { KeyEntry, KeyTable } from '../state/key-table.js';
import type { KeyByNode, ShuffleNode } from '../topology/graph.js';
import type { BadRecordRule } from './bad-records.js';
import type { EpochEffects } from './epoch-effects.js';
import { decodePart, functionFailed, type HeadOperator, type Receiver, writeRecord } from './operators.js';
import type { PlacementCheck } from './placement-check.js';
import type { RecordContext } from './record-context.js';
import type { RepartitionOutput } from './task-plan.js';

/**
 * How records come to the state of their key.
 *
 *   already partitioned:   ... --> KeyByOperator --gather--> keyed functions
 *   shuffled:              ... --> ShuffleWriter --> repartition topic --> ShuffleReader --gather--> keyed functions
 *
 * Both gather a chunk's records by key (KeyGather), so that the state of all their keys is read in one multi-get, and run the functions
 * when the chunk is through.
 */
export class KeyGather {
  readonly #values: unknown[] = [];
  readonly #entries: KeyEntry[] = [];
  readonly #rows: number[] = [];
  readonly #bit: number;

  /** @param side number of the keyBy among those of the table, from 0 */
  constructor(
    private readonly context: RecordContext,
    private readonly table: KeyTable,
    private readonly next: Receiver,
    private readonly placement: PlacementCheck | undefined,
    side: number,
  ) {
    this.#bit = 1 << side;
  }

  /** Takes the record at hand. @throws WeirError `invalid` KEY_ELSEWHERE */
  gather(key: unknown, value: unknown): void {
    const entry = this.table.resolve(key);
    if ((entry.placed & this.#bit) === 0) this.#checkPlace(entry);
    this.#entries.push(entry);
    this.#values.push(value);
    this.#rows.push(this.context.row);
  }

  /** Once per key and keyBy, as long as the table has it. What a timer puts out lies where its task is. */
  #checkPlace(entry: KeyEntry): void {
    const { context, placement } = this;
    if (context.isTimer) return;
    placement?.check(entry.bytes, context.partition, context.offset);
    entry.placed |= this.#bit;
  }

  /**
   *   1. reads the state of all new entries in one multi-get
   *   2. runs each gathered record, in order, with its entry current
   *
   * The table evicts once all that gather from it are flushed: an entry that is gathered must stay the table's.
   */
  flush(store: StateStore): void {
    const { context, next, table } = this;
    const values = this.#values;
    const entries = this.#entries;
    if (values.length === 0) return;
    table.loadMissing(store);
    for (let i = 0; i < values.length; i++) {
      const entry = entries[i]!;
      context.row = this.#rows[i]!;
      context.key = entry.key;
      table.current = entry;
      next.receive(values[i]);
    }
    table.current = undefined;
    values.length = entries.length = this.#rows.length = 0;
  }
}

/** The key of a value. @throws WeirError `data` FUNCTION_FAILED, KEY_NULL */
function keyOf(node: KeyByNode, value: unknown, context: RecordContext): unknown {
  let key: unknown;
  try {
    key = node.selector(value, context);
  } catch (thrown) {
    throw functionFailed(thrown, node.name, context);
  }
  if (key !== null && key !== undefined) return key;
  const { topic, partition, offset } = context;
  throw errors.keyNull({ operator: node.name, topic, partition, offset });
}

/** What the key's codec threw, with the place; a key that lies elsewhere is told as it is. */
function keyUnencodable(thrown: unknown, { name, keyCodec }: KeyByNode, { topic, partition, offset }: RecordContext): unknown {
  if (isWeirError(thrown)) return thrown;
  return errors.outputUnencodable({ target: `the key of ${name}`, codec: keyCodec.id, problem: problemOf(thrown), topic, partition, offset }, thrown);
}

/** keyBy on a topic that is partitioned by the key already. */
export class KeyByOperator implements Receiver {
  constructor(
    private readonly node: KeyByNode,
    private readonly context: RecordContext,
    private readonly gather: KeyGather,
    private readonly bad: BadRecordRule,
  ) {}

  receive(value: unknown): void {
    let key: unknown;
    try {
      key = keyOf(this.node, value, this.context);
    } catch (thrown) {
      this.bad.handle(thrown);
      return;
    }
    try {
      this.gather.gather(key, value);
    } catch (thrown) {
      this.bad.handle(keyUnencodable(thrown, this.node, this.context));
    }
  }
}

/** The upstream end of a shuffle: sends each value to the repartition partition of its key, with timestamp and headers. */
export class ShuffleWriter implements Receiver {
  readonly #key = new ByteWriter(64);
  readonly #node: ShuffleNode;
  #effects: EpochEffects | undefined;

  constructor(
    private readonly output: RepartitionOutput,
    private readonly context: RecordContext,
    private readonly wallTime: () => number,
    private readonly bad: BadRecordRule,
  ) {
    this.#node = output.node;
  }

  writeTo(effects: EpochEffects): void {
    this.#effects = effects;
  }

  receive(value: unknown): void {
    let key: unknown;
    try {
      key = keyOf(this.#node, value, this.context);
    } catch (thrown) {
      this.bad.handle(thrown);
      return;
    }
    try {
      this.#key.clear();
      this.#node.keyCodec.encode(key, this.#key);
      const partition = PARTITIONERS.murmur2(this.#key.buffer, 0, this.#key.length, this.output.partitions);
      const writer = this.#effects!.writersOf(this.output.topic, this.output.partitions)[partition]!;
      writeRecord(writer, this.context, this.wallTime, this.#key, this.#node.distribution.valueCodec, value);
    } catch (thrown) {
      if (isWeirError(thrown)) throw thrown;
      const { topic, partition, offset } = this.context;
      const codec = `${this.#node.keyCodec.id} key and ${this.#node.distribution.valueCodec.id} value`;
      this.bad.handle(errors.outputUnencodable({ target: `a record for shuffle ${this.#node.name}`, codec, problem: problemOf(thrown), topic, partition, offset }, thrown));
    }
  }
}

/** The downstream end of a shuffle: takes records and barriers from the repartition topic. What lies there is Weir's own, so none of it is a bad record. */
export class ShuffleReader implements HeadOperator {
  constructor(
    private readonly node: ShuffleNode,
    private readonly context: RecordContext,
    private readonly gather: KeyGather,
    private readonly onBarrier: (topic: string, partition: number, barrier: Barrier) => void,
  ) {}

  run(chunk: LogChunk, from: number, to: number): void {
    const { context, gather, node } = this;
    const { records } = chunk;
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = records;
    const { valueCodec } = node.distribution;
    context.topic = chunk.topic;
    context.partition = chunk.partition;
    context.columns = records;
    for (let row = from; row < to; row++) {
      context.row = row;
      const barrier = barrierIn(records, row);
      if (barrier !== undefined) {
        this.onBarrier(chunk.topic, chunk.partition, barrier);
        continue;
      }
      const key = decodePart('key', node.keyCodec, buffer, keyStart[row]!, keyEnd[row]!, context);
      gather.gather(key, decodePart('value', valueCodec, buffer, valueStart[row]!, valueEnd[row]!, context));
    }
  }
}
