import type { Codec } from '../codec/codec.js';
import { errors } from '../errors/errors.js';
import type { Epoch } from '../model/brands.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { LogChunk } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import { KeyTable } from '../state/key-table.js';
import { KeyedStateRegistry } from '../state/keyed-state-registry.js';
import { Sequence } from '../state/sequence.js';
import type { OperatorDeclaration } from '../state/state-catalogue.js';
import { OperatorStates } from '../state/operator-state.js';
import { KeyedTimers } from '../state/timer-service.js';
import type { KeyedContext, KeyedProcess, OperatorContext } from '../topology/functions.js';
import { type BroadcastConnectNode, inputsOf, isShuffle, type KeyByNode, type KeyedNode, type Node, type ProcessNode, type ShuffleNode } from '../topology/graph.js';
import type { Barrier } from '../checkpoint/barrier.js';
import type { EpochEffects } from './epoch-effects.js';
import { KeyByOperator, KeyGather, ShuffleReader, ShuffleWriter } from './keyed-operators.js';
import { BroadcastSide, FanOut, type HeadOperator, KeyedOperator, type KeyedRunnable, type Receiver, SinkOperator, SourceOperator, StatelessOperator } from './operators.js';
import { RecordContext } from './record-context.js';
import type { RepartitionOutput, TaskPlan } from './task-plan.js';
import { TimerRun } from './timer-run.js';

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
  readonly #functions: RichFunction[] = [];
  readonly #timerRuns: TimerRun[] = [];
  readonly #operators = new Map<string, Operator>();
  /** By node id and tag. */
  readonly #sideOutputs = new Map<string, Receiver>();
  readonly #broadcastSides = new Map<number, Receiver>();
  readonly #tables = new Map<number, KeyTable>();
  readonly #takenIds = new Map<number, string>();
  readonly #sequence = new Sequence();

  constructor(
    private readonly plan: TaskPlan,
    private readonly attempt: number,
    private readonly host: PipelineHost,
  ) {
    try {
      this.#build(plan);
    } catch (thrown) {
      this.#closeAll();
      throw thrown;
    }
  }

  #build(plan: TaskPlan): void {
    const receivers = new Map<number, Receiver>();
    const toOthers = plan.repartitionOutputs.map((output) => ({ input: output.node.input, writer: this.#shuffleWriter(output) }));
    const readersOf = (node: Node): Receiver => {
      const here = plan.nodes.filter((reader) => !isShuffle(reader) && reader.kind !== 'sideOutput' && inputsOf(reader).includes(node)).map((reader) => this.#sideOf(reader, node, receivers));
      const readers = [...here, ...toOthers.filter(({ input }) => input === node).map(({ writer }) => writer)];
      return readers.length === 1 ? readers[0]! : new FanOut(readers);
    };
    for (const node of [...plan.nodes].reverse()) {
      const next = readersOf(node);
      if (node.kind === 'source') this.#heads.set(node.topic.topic, new SourceOperator(node, this.#context, next, this.#readsOwnKey(node)));
      else if (isShuffle(node)) this.#shuffleReader(node, next);
      else if (node.kind === 'sideOutput') this.#sideOutputs.set(`${node.input.id}/${node.tag}`, next);
      else receivers.set(node.id, this.#receiverOf(node, next));
    }
    this.#gathers.reverse();
  }

  /** What of `reader` takes the values of `node`. */
  #sideOf(reader: Node, node: Node, receivers: ReadonlyMap<number, Receiver>): Receiver {
    const isBroadcast = reader.kind === 'broadcastConnect' && reader.broadcast === node;
    return isBroadcast ? this.#broadcastSides.get(reader.id)! : receivers.get(reader.id)!;
  }

  #receiverOf(node: Exclude<Node, { kind: 'source' }>, next: Receiver): Receiver {
    switch (node.kind) {
      case 'stateless':
        return new StatelessOperator(node.name, this.#context, node.function, next);
      case 'union':
        return next;
      case 'keyBy':
        return new KeyByOperator(node, this.#context, this.#gather(node, next));
      case 'keyed':
        return this.#keyed(node, next);
      case 'process':
        return this.#process(node, next);
      case 'broadcastConnect':
        return this.#broadcastConnect(node, next);
      case 'broadcast':
      case 'sideOutput':
        return next;
      case 'sink': {
        const sink = new SinkOperator(node, this.#context, this.plan.sinkPartitions.get(node.topic.topic)!, this.host.wallTime);
        this.#writers.push(sink);
        return sink;
      }
    }
  }

  #gather(node: KeyByNode, next: Receiver): KeyGather {
    const gather = new KeyGather(this.#context, this.#tableOf(node), next);
    this.#gathers.push(gather);
    return gather;
  }

  #shuffleWriter(output: RepartitionOutput): Receiver {
    const writer = new ShuffleWriter(output, this.#context, this.host.wallTime);
    this.#writers.push(writer);
    return writer;
  }

  #shuffleReader(node: ShuffleNode, next: Receiver): void {
    const input = this.plan.inputs.find((each) => each.type === 'repartition' && each.node === node)!;
    this.#heads.set(input.topic, new ShuffleReader(node, this.#context, this.#gather(node, next), this.host.onBarrier));
  }

  /** Operators behind a keyBy are built before it, and share its table. */
  #tableOf(node: KeyByNode): KeyTable {
    let table = this.#tables.get(node.id);
    if (table === undefined) {
      const placement = this.plan.placements.get(node.id);
      const context = this.#context;
      const { maxParallelism, state } = this.plan.settings;
      const onNewKey = (bytes: Buffer): void => {
        if (!context.isTimer) placement?.check(bytes, context.partition, context.offset);
      };
      const { wallTime } = this.host;
      table = new KeyTable({ codec: node.keyCodec, maxParallelism, limit: state.cacheEntries, onNewKey, wallTime, sequence: this.#sequence });
      this.#tables.set(node.id, table);
    }
    return table;
  }

  #keyed(node: KeyedNode, next: Receiver): Receiver {
    const fn = node.factory();
    const operator = this.#operatorOf(node, node.input);
    this.#functions.push(fn);
    fn.open(this.#keyedContext(operator));
    seal(operator);
    if (node.type === 'process') this.#timerRuns.push(new TimerRun(operator.timers!, operator.table!, this.#context, fn as KeyedProcess<unknown, unknown, unknown>, next));
    return new KeyedOperator(node.name, this.#context, { type: node.type, fn } as KeyedRunnable, next);
  }

  #process(node: ProcessNode, next: Receiver): Receiver {
    const fn = node.factory();
    const operator = this.#operatorOf(node, undefined);
    this.#functions.push(fn);
    fn.open(this.#operatorContext(operator));
    seal(operator);
    return new KeyedOperator(node.name, this.#context, { type: 'process', fn }, next);
  }

  /** Two receivers, one for each side: the broadcast's end hands its values to the other one. */
  #broadcastConnect(node: BroadcastConnectNode, next: Receiver): Receiver {
    const fn = node.factory();
    const operator = this.#operatorOf(node, node.input);
    this.#functions.push(fn);
    fn.open({ ...this.#keyedContext(operator), broadcastState: (descriptor) => operator.states.broadcast(descriptor) });
    seal(operator);
    this.#broadcastSides.set(node.id, new BroadcastSide(node.name, this.#context, operator.states, fn));
    return new KeyedOperator(node.name, this.#context, { type: 'process', fn }, next);
  }

  #operatorOf(node: NamedOperator, keyBy: KeyByNode | undefined): Operator {
    const table = keyBy === undefined ? undefined : this.#tableOf(keyBy);
    const operator: Operator = {
      node,
      keyBy,
      table,
      registry: table === undefined ? undefined : new KeyedStateRegistry(node.name, table, this.#takenIds),
      timers: table === undefined ? undefined : this.#timersOf(node, table),
      states: new OperatorStates(node.name, this.#takenIds),
    };
    this.#operators.set(node.name, operator);
    return operator;
  }

  #timersOf(node: NamedOperator, table: KeyTable): KeyedTimers {
    const timers = new KeyedTimers(node.name, table, this.plan.settings.maxParallelism, this.host.wallTime);
    this.#takenIds.set(timers.stateId, `the timers of operator ${node.name}`);
    return timers;
  }

  #operatorContext({ node, states }: Operator): OperatorContext {
    const context = this.#context;
    return {
      operator: node.name,
      taskIndex: this.plan.task,
      parallelism: this.plan.parallelism,
      attempt: this.attempt,
      timestamp: () => context.timestamp,
      operatorState: (descriptor) => states.list(descriptor),
      output: ({ id }, value) => this.#toSideOutput(node, id, value),
    };
  }

  #toSideOutput(node: NamedOperator, tag: string, value: unknown): void {
    const receiver = this.#sideOutputs.get(`${node.id}/${tag}`);
    if (receiver === undefined) throw errors.sideOutputUnread({ operator: node.name, tag });
    receiver.receive(value);
  }

  #keyedContext(operator: Operator): KeyedContext {
    const table = operator.table!;
    return {
      ...this.#operatorContext(operator),
      timerService: operator.timers!,
      state: operator.registry!.state,
      currentKey: () => {
        if (table.current === undefined) throw errors.stateOutsideKey({ state: 'currentKey()', operator: operator.node.name });
        return table.current.key;
      },
    };
  }

  /** Whether a sink or `entries` stands behind the source with no keyBy between: only then the record's own key is decoded. */
  #readsOwnKey(from: Node): boolean {
    return this.plan.nodes.some((node) => {
      if (!inputsOf(node).includes(from)) return false;
      const reads = node.kind === 'sink' || (node.kind === 'stateless' && node.function.type === 'entries');
      return reads || ((node.kind === 'stateless' || node.kind === 'union') && this.#readsOwnKey(node));
    });
  }

  /** What the operators declared: for the catalogue. */
  operatorDeclarations(): Record<string, OperatorDeclaration> {
    const declared: Record<string, OperatorDeclaration> = {};
    for (const [name, { keyBy, registry, states: operatorStates }] of [...this.#operators].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const partitioner = keyBy === undefined ? undefined : this.plan.placements.get(keyBy.id)?.settled;
      const all = [...(registry?.declarations ?? []), ...operatorStates.declarations];
      const states = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
      const { id: keyCodec, version: keyVersion } = keyBy?.keyCodec ?? NO_KEY;
      declared[name] = { keyCodec, keyVersion, ...(partitioner === undefined ? {} : { partitioner }), states };
    }
    return declared;
  }

  /** Takes up the partitioners that an earlier run found. */
  adoptPartitioners(recorded: Readonly<Record<string, OperatorDeclaration>>): void {
    for (const [name, { keyBy }] of this.#operators) {
      if (keyBy !== undefined) this.plan.placements.get(keyBy.id)?.adopt(recorded[name]?.partitioner);
    }
  }

  /** A state in words, by its id; undefined if the task has none of that id. */
  nameOfState(id: number): string | undefined {
    return this.#takenIds.get(id);
  }

  /** Reads the operators' own states. Before the first record. */
  load(store: StateStore): void {
    for (const { states } of this.#operators.values()) states.load(store);
    for (const { timers } of this.#timerRuns) timers.load(store);
  }

  /** When the next timer is due, in milliseconds since the epoch; undefined if none is set. */
  get nextTimerAt(): number | undefined {
    let next: number | undefined;
    for (const { timers } of this.#timerRuns) {
      const at = timers.nextAt;
      if (at !== undefined && (next === undefined || at < next)) next = at;
    }
    return next;
  }

  /** Fires timers that are due, at most `limit` of each operator. */
  fireTimers(limit: number, store: StateStore): void {
    const now = this.host.wallTime();
    for (const run of this.#timerRuns) run.fire(now, limit, store);
    for (const gather of this.#gathers) gather.flush(store);
  }

  /** Where outputs go from now on. */
  writeTo(effects: EpochEffects): void {
    for (const writer of this.#writers) writer.writeTo(effects);
  }

  /**
   * Runs records [from, to) of a chunk, all of them by default, through all operators.
   * @throws WeirError `data` or `invalid` that names the record
   */
  process(chunk: LogChunk, store: StateStore, from = 0, to = chunk.records.count): void {
    this.#heads.get(chunk.topic)!.run(chunk, from, to);
    for (const gather of this.#gathers) gather.flush(store);
  }

  /** State changes of the running epoch: each is a row of its commit. */
  get pendingChanges(): number {
    let pending = 0;
    for (const { table } of this.#gathers) pending += table.pendingChanges;
    for (const { states } of this.#operators.values()) pending += states.changes;
    for (const { timers } of this.#timerRuns) pending += timers.changes;
    return pending;
  }

  /** What the next element of a list draws: kept in the epoch record, so that it only grows. */
  get sequence(): number {
    return this.#sequence.next;
  }

  set sequence(next: number) {
    this.#sequence.next = next;
  }

  /** Lets the codecs look up what they need, before the first record. */
  async prepare(): Promise<void> {
    const codecs = new Set<Codec<unknown>>(this.plan.nodes.flatMap(codecsOf));
    for (const { registry } of this.#operators.values()) {
      for (const descriptor of registry?.descriptors ?? []) {
        codecs.add(descriptor.codec);
        if (descriptor.kind === 'map') codecs.add(descriptor.keyCodec);
      }
    }
    for (const { node } of this.plan.repartitionOutputs) codecsOf(node).forEach((codec) => codecs.add(codec));
    await Promise.all([...codecs].map((codec) => codec.prepare?.()));
  }

  /** Ends the running epoch: writes its state changes. */
  freeze(epoch: Epoch, changes: RecordWriter, timestamp: number): void {
    for (const fn of this.#functions) fn.snapshotState();
    for (const { table } of this.#gathers) table.freeze(epoch, changes, timestamp);
    for (const { states } of this.#operators.values()) states.freeze(changes, timestamp);
    for (const { timers } of this.#timerRuns) timers.freeze(changes, timestamp);
  }

  applied(epoch: Epoch): void {
    for (const { table } of this.#gathers) table.applied(epoch);
  }

  /** Closes the user's functions. The first error of theirs is thrown once all are closed. */
  close(): void {
    const failures = this.#closeAll();
    if (failures.length > 0) throw failures[0];
  }

  #closeAll(): unknown[] {
    const failures: unknown[] = [];
    for (const fn of this.#functions) {
      try {
        fn.close();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    return failures;
  }
}

type NamedOperator = KeyedNode | ProcessNode | BroadcastConnectNode;

interface RichFunction {
  snapshotState(): void;
  close(): void;
}

interface Operator {
  readonly node: NamedOperator;
  /** Undefined for an operator without keys, likewise the two below. */
  readonly keyBy: KeyByNode | undefined;
  readonly table: KeyTable | undefined;
  readonly registry: KeyedStateRegistry | undefined;
  readonly timers: KeyedTimers | undefined;
  readonly states: OperatorStates;
}

/** After `open` nothing more is declared. */
function seal({ registry, states }: Operator): void {
  registry?.seal();
  states.seal();
}

/** What the catalogue says of operators without keys. */
const NO_KEY = { id: 'none', version: 1 };

function codecsOf(node: Node): Codec<unknown>[] {
  if (node.kind === 'source' || node.kind === 'sink') return [node.topic.key, node.topic.value];
  if (node.kind !== 'keyBy') return [];
  return node.distribution.type === 'shuffle' ? [node.keyCodec, node.distribution.valueCodec] : [node.keyCodec];
}

/** What a pipeline asks of its task. */
export interface PipelineHost {
  /** Milliseconds since the epoch, for records without a timestamp. */
  readonly wallTime: () => number;
  readonly onBarrier: (topic: string, partition: number, barrier: Barrier) => void;
}
