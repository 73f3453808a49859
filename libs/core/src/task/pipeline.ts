import type { Codec } from '../codec/codec.js';
import type { Epoch } from '../model/brands.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { Clock } from '../ports/clock.js';
import type { LogChunk } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { CacheBudget, CacheShare } from '../state/cache-budget.js';
import { KeyTable } from '../state/key-table.js';
import { Sequence } from '../state/sequence.js';
import type { OperatorDeclaration } from '../state/state-catalogue.js';
import { inputsOf, isShuffle, type KeyByNode, keyGroups, type Node, type ShuffleNode } from '../topology/graph.js';
import type { Barrier } from '../checkpoint/barrier.js';
import { BadRecords } from './bad-records.js';
import type { EpochEffects } from './epoch-effects.js';
import { FunctionOperators } from './function-operators.js';
import { KeyByOperator, KeyGather, ShuffleReader, ShuffleWriter } from './keyed-operators.js';
import { FanOut, type HeadOperator, type Receiver, SinkOperator, SourceOperator, StatelessOperator } from './operators.js';
import { RecordContext } from './record-context.js';
import type { RecordRetries } from './record-retries.js';
import type { RepartitionOutput, TaskPlan } from './task-plan.js';

/**
 * A task's operators, built from its plan and wired from the sinks upwards. Synchronous throughout: `process` runs a chunk to its end.
 *
 * Invariant I7: records of a key are processed in log order. Within a chunk that holds because operators run depth first and a keyBy
 * keeps the order of what it gathers; keyBys are flushed in the order of definition, an input before its readers.
 */
export class Pipeline {
  readonly #context = new RecordContext();
  /** By the topic whose chunks go into them. */
  readonly #heads = new Map<string, HeadOperator>();
  readonly #gathers: KeyGather[] = [];
  /** Operators that write outputs. */
  readonly #writers: { writeTo(effects: EpochEffects): void }[] = [];
  readonly #tables: KeyTables;
  readonly #functions: FunctionOperators;
  readonly #bad: BadRecords;
  readonly #wallTime: () => number;

  constructor(
    private readonly plan: TaskPlan,
    attempt: number,
    private readonly host: PipelineHost,
  ) {
    const { clock, telemetry } = host;
    const wallTime = (): number => clock.wall();
    this.#wallTime = wallTime;
    const tables = new KeyTables(plan, wallTime, host.cacheBudget);
    this.#tables = tables;
    const bad = new BadRecords(plan, this.#context, wallTime, host.retries);
    this.#bad = bad;
    this.#functions = new FunctionOperators({
      plan,
      attempt,
      context: this.#context,
      clock,
      telemetry,
      tableOf: (keyBy) => tables.of(keyBy).table,
      badRuleOf: (node) => bad.ruleOf(node),
    });
    try {
      this.#build(plan);
    } catch (thrown) {
      tables.close();
      this.#functions.close();
      throw thrown;
    }
  }

  #build(plan: TaskPlan): void {
    /** Of each node, one for each of its inputs. */
    const receivers = new Map<number, readonly Receiver[]>();
    const toOthers = plan.repartitionOutputs.map((output) => ({ input: output.node.input, writer: this.#shuffleWriter(output) }));
    const readersOf = (node: Node): Receiver => {
      const here = plan.nodes
        .filter((reader) => !isShuffle(reader) && reader.kind !== 'sideOutput')
        .flatMap((reader) => inputsOf(reader).flatMap((input, i) => (input === node ? [receivers.get(reader.id)![i]!] : [])));
      const readers = [...here, ...toOthers.filter(({ input }) => input === node).map(({ writer }) => writer)];
      return readers.length === 1 ? readers[0]! : new FanOut(readers);
    };
    for (const node of [...plan.nodes].reverse()) {
      const next = readersOf(node);
      if (node.kind === 'source') this.#heads.set(node.topic.topic, new SourceOperator(node, this.#context, next, this.#readsOwnKey(node), this.#bad.ruleOf(node)));
      else if (isShuffle(node)) this.#shuffleReader(node, next);
      else if (node.kind === 'sideOutput') this.#functions.addSideOutput(node.input, node.tag, next);
      else receivers.set(node.id, this.#receiversOf(node, next));
    }
    this.#gathers.reverse();
  }

  #receiversOf(node: Exclude<Node, { kind: 'source' }>, next: Receiver): readonly Receiver[] {
    switch (node.kind) {
      case 'stateless':
        return [new StatelessOperator(this.#context, node.function, next, this.#bad.ruleOf(node))];
      case 'union':
        return node.inputs.map(() => next);
      case 'keyBy':
        return [new KeyByOperator(node, this.#context, this.#gather(node, next), this.#bad.ruleOf(node))];
      case 'keyed':
        return [this.#functions.keyed(node, next)];
      case 'process':
        return [this.#functions.process(node, next)];
      case 'connect':
        return this.#functions.connect(node, next);
      case 'keyedConnect':
        return this.#functions.keyedConnect(node, next);
      case 'broadcastConnect':
        return this.#functions.broadcastConnect(node, next);
      case 'broadcast':
      case 'sideOutput':
        return [next];
      case 'sink': {
        const partitions = this.plan.sinkPartitions.get(node.topic.topic)!;
        const sink = new SinkOperator(node, this.#context, partitions, this.#wallTime, this.#bad.ruleOf(node));
        this.#writers.push(sink);
        return [sink];
      }
    }
  }

  #gather(node: KeyByNode, next: Receiver): KeyGather {
    const { table, side } = this.#tables.of(node);
    const gather = new KeyGather(this.#context, table, next, this.plan.placements.get(node.id), side);
    this.#gathers.push(gather);
    return gather;
  }

  #shuffleWriter(output: RepartitionOutput): Receiver {
    const writer = new ShuffleWriter(output, this.#context, this.#wallTime, this.#bad.ruleOf(output.node));
    this.#writers.push(writer);
    return writer;
  }

  #shuffleReader(node: ShuffleNode, next: Receiver): void {
    const input = this.plan.inputs.find((each) => each.type === 'repartition' && each.node === node)!;
    this.#heads.set(input.topic, new ShuffleReader(node, this.#context, this.#gather(node, next), this.host.onBarrier));
  }

  /** Whether a sink or `entries` stands behind the source with no keyBy between: only then the record's own key is decoded. */
  #readsOwnKey(from: Node): boolean {
    return this.plan.nodes.some((node) => {
      if (!inputsOf(node).includes(from)) return false;
      const reads = node.kind === 'sink' || (node.kind === 'stateless' && node.function.type === 'entries');
      return reads || (KEEP_KEY.includes(node.kind) && this.#readsOwnKey(node));
    });
  }

  /** What the operators declared: for the catalogue. */
  operatorDeclarations(): Record<string, OperatorDeclaration> {
    return this.#functions.declarations();
  }

  /** Takes up the partitioners that an earlier run found. */
  adoptPartitioners(recorded: Readonly<Record<string, OperatorDeclaration>>): void {
    this.#functions.adoptPartitioners(recorded);
  }

  /** A state in words, by its id; undefined if the task has none of that id. */
  nameOfState(id: number): string | undefined {
    return this.#functions.nameOfState(id);
  }

  /** Reads the operators' own states, and lets the functions take them up. Before the first record. */
  load(store: StateStore, isRestored: boolean): void {
    this.#functions.load(store, { isRestored });
  }

  /** When the next timer is due, in milliseconds since the epoch; undefined if none is set. */
  get nextTimerAt(): number | undefined {
    return this.#functions.nextTimerAt;
  }

  /** Fires timers that are due, at most `limit` of each operator. */
  fireTimers(limit: number, store: StateStore): void {
    const now = this.#wallTime();
    for (const run of this.#functions.timerRuns) {
      run.fire(now, limit, store);
      this.#flush(store);
    }
  }

  /** Where outputs go from now on. */
  writeTo(effects: EpochEffects): void {
    for (const writer of this.#writers) writer.writeTo(effects);
    this.#bad.writeTo(effects);
  }

  /**
   * Runs records [from, to) of a chunk, all of them by default, through all operators.
   * @throws WeirError `data` or `invalid` that names the record
   */
  process(chunk: LogChunk, store: StateStore, from = 0, to = chunk.records.count): void {
    this.#heads.get(chunk.topic)!.run(chunk, from, to);
    this.#flush(store);
  }

  #flush(store: StateStore): void {
    for (const gather of this.#gathers) gather.flush(store);
    for (const table of this.#tables.all) table.evict();
  }

  /** State changes of the running epoch: each is a row of its commit. */
  get pendingChanges(): number {
    let pending = this.#functions.pendingChanges;
    for (const table of this.#tables.all) pending += table.pendingChanges;
    return pending;
  }

  /** Changes that the share of the cache's budget holds twice: those of the running epoch, and those of the one that is committed. */
  get affordableChanges(): number {
    let least = Infinity;
    for (const table of this.#tables.all) least = Math.min(least, table.affordable);
    return least / 2;
  }

  /** What the next element of a list draws: kept in the epoch record, so that it only grows. */
  get sequence(): number {
    return this.#tables.sequence.next;
  }

  set sequence(next: number) {
    this.#tables.sequence.next = next;
  }

  /** Lets the codecs look up what they need, before the first record. */
  async prepare(): Promise<void> {
    const written = this.plan.repartitionOutputs.map(({ node }) => node);
    const codecs = new Set([...[...this.plan.nodes, ...written].flatMap(codecsOf), ...this.#functions.codecs()]);
    await Promise.all([...codecs].map((codec) => codec.prepare?.()));
  }

  /** Ends the running epoch: writes its state changes. */
  freeze(epoch: Epoch, changes: RecordWriter, timestamp: number): void {
    this.#functions.snapshot();
    for (const table of this.#tables.all) table.freeze(epoch, changes, timestamp);
    this.#functions.freeze(changes, timestamp);
    this.#bad.freeze();
  }

  applied(epoch: Epoch): void {
    for (const table of this.#tables.all) table.applied(epoch);
    this.#functions.report();
    this.#bad.report(this.host.telemetry);
  }

  /** Closes the user's functions. The first error of theirs is thrown once all are closed. */
  close(): void {
    this.#tables.close();
    const failures = this.#functions.close();
    if (failures.length > 0) throw failures[0];
  }
}

/** The tables of keys of a task: one for each keyBy, or for several that are connected. All draw on one sequence. */
class KeyTables {
  readonly sequence = new Sequence();
  readonly all: readonly KeyTable[];
  readonly #places: ReadonlyMap<KeyByNode, KeyTablePlace>;
  readonly #shares: CacheShare[] = [];

  constructor({ nodes, settings: { maxParallelism, state } }: TaskPlan, wallTime: () => number, budget: CacheBudget) {
    const places = keyGroups(nodes).flatMap((group) => {
      const share = budget.join();
      this.#shares.push(share);
      const table = new KeyTable({ codec: group[0].keyCodec, maxParallelism, limit: state.cacheEntries, share, wallTime, sequence: this.sequence });
      return group.map((keyBy, side) => [keyBy, { table, side }] as const);
    });
    this.#places = new Map(places);
    this.all = [...new Set(places.map(([, { table }]) => table))];
  }

  close(): void {
    for (const share of this.#shares) share.leave();
  }

  of(keyBy: KeyByNode): KeyTablePlace {
    return this.#places.get(keyBy)!;
  }
}

interface KeyTablePlace {
  readonly table: KeyTable;
  /** Number of the keyBy among those of the table. */
  readonly side: number;
}

/** Kinds of nodes behind which a record still has the key that it had before. */
const KEEP_KEY: readonly Node['kind'][] = ['stateless', 'union', 'process', 'connect', 'sideOutput'];

function codecsOf(node: Node): Codec<unknown>[] {
  if (node.kind === 'source' || node.kind === 'sink') return [node.topic.key, node.topic.value];
  if (node.kind !== 'keyBy') return [];
  return node.distribution.type === 'shuffle' ? [node.keyCodec, node.distribution.valueCodec] : [node.keyCodec];
}

/** What a pipeline asks of its task. */
export interface PipelineHost {
  readonly clock: Pick<Clock, 'wall' | 'monotonic'>;
  readonly telemetry: Telemetry;
  readonly cacheBudget: CacheBudget;
  readonly onBarrier: (topic: string, partition: number, barrier: Barrier) => void;
  /** Those of the attempts before. */
  readonly retries?: RecordRetries | undefined;
}
