import type { Codec } from '../codec/codec.js';
import { errors, problemOf } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { Clock } from '../ports/clock.js';
import type { StateStore } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import type { KeyTable } from '../state/key-table.js';
import { KeyedStateRegistry } from '../state/keyed-state-registry.js';
import { OperatorStates } from '../state/operator-state.js';
import type { OperatorDeclaration } from '../state/state-catalogue.js';
import { KeyedTimers } from '../state/timer-service.js';
import type { InitializationContext, KeyedContext, OperatorContext } from '../topology/functions.js';
import type { BroadcastConnectNode, ConnectNode, FunctionNode, KeyByNode, KeyedConnectNode, KeyedNode, ProcessNode } from '../topology/graph.js';
import type { BadRecordRule } from './bad-records.js';
import { BroadcastSide, coRunOf, FunctionOperator, type Runnable, runOf, type Sides, type WithTimers } from './function-operator.js';
import { OperatorMetrics } from './operator-metrics.js';
import type { Receiver } from './operators.js';
import type { RecordContext } from './record-context.js';
import type { TaskPlan } from './task-plan.js';
import { TimerRun } from './timer-run.js';

/**
 * FunctionOperators: the rich functions of a task, each made by its factory and opened with its context, and what they declared: keyed
 * state, operator state, timers. It owns their lives and what they keep; it does not own the tables of keys, nor when anything is due.
 *
 *   made, opened and sealed (constructor of Pipeline) --> load --> records, snapshot and freeze at each commit --> close
 */
export class FunctionOperators {
  readonly #functions: { readonly operator: string; readonly fn: LivingFunction }[] = [];
  readonly #operators = new Map<string, Operator>();
  readonly #timerRuns: TimerRun[] = [];
  readonly #takenIds = new Map<number, string>();
  /** By node id and tag. */
  readonly #sideOutputs = new Map<string, Receiver>();

  constructor(private readonly host: FunctionHost) {}

  /** Where a side output goes. Before the operator that it is of is made. */
  addSideOutput(node: FunctionNode, tag: string, to: Receiver): void {
    this.#sideOutputs.set(`${node.id}/${tag}`, to);
  }

  keyed(node: KeyedNode, next: Receiver): Receiver {
    const fn = node.factory();
    const operator = this.#operatorOf(node, node.input, fn);
    fn.open(this.#keyedContext(operator));
    this.#opened(operator, fn, next);
    return this.#receiver(this.host.badRuleOf(node), runOf({ type: node.type, fn } as unknown as Runnable, next));
  }

  process(node: ProcessNode, next: Receiver): Receiver {
    const fn = node.factory();
    const operator = this.#operatorOf(node, undefined, fn);
    fn.open(this.#operatorContext(operator));
    this.#opened(operator, fn, next);
    return this.#receiver(this.host.badRuleOf(node), runOf({ type: 'process', fn } as unknown as Runnable, next));
  }

  /** A receiver for each side. */
  connect(node: ConnectNode, next: Receiver): readonly [Receiver, Receiver] {
    const fn = node.factory();
    const operator = this.#operatorOf(node, undefined, fn);
    fn.open(this.#operatorContext(operator));
    this.#opened(operator, fn, next);
    return this.#sides(node, fn, next);
  }

  /** A receiver for each side; both have the state of the one table. */
  keyedConnect(node: KeyedConnectNode, next: Receiver): readonly [Receiver, Receiver] {
    const fn = node.factory();
    const operator = this.#operatorOf(node, node.inputs[0], fn);
    fn.open(this.#keyedContext(operator));
    this.#opened(operator, fn, next);
    return this.#sides(node, fn, next);
  }

  /** A receiver for the keyed side, and one for the broadcast. */
  broadcastConnect(node: BroadcastConnectNode, next: Receiver): readonly [Receiver, Receiver] {
    const fn = node.factory();
    const operator = this.#operatorOf(node, node.input, fn);
    const { states } = operator;
    fn.open({ ...this.#keyedContext(operator), broadcastState: (descriptor) => states.broadcast(descriptor) });
    this.#opened(operator, fn, next);
    const bad = this.host.badRuleOf(node);
    const keyedSide = this.#receiver(bad, runOf({ type: 'process', fn } as unknown as Runnable, next));
    return [keyedSide, new BroadcastSide(bad, this.host.context, states, fn)];
  }

  #receiver(bad: BadRecordRule, run: (value: unknown) => void): Receiver {
    return new FunctionOperator(bad, this.host.context, run);
  }

  #sides(node: ConnectNode | KeyedConnectNode, fn: object, next: Receiver): readonly [Receiver, Receiver] {
    const sides = { type: node.type, fn } as Sides;
    const bad = this.host.badRuleOf(node);
    return [this.#receiver(bad, coRunOf(sides, 1, next)), this.#receiver(bad, coRunOf(sides, 2, next))];
  }

  #operatorOf(node: FunctionNode, keyBy: KeyByNode | undefined, fn: LivingFunction & WithTimers): Operator {
    const { plan, clock } = this.host;
    const wallTime = (): number => clock.wall();
    const table = keyBy === undefined ? undefined : this.host.tableOf(keyBy);
    const operator: Operator = {
      node,
      keyBy,
      table,
      registry: table === undefined ? undefined : new KeyedStateRegistry(node.name, table, this.#takenIds),
      timers: table === undefined ? undefined : new KeyedTimers(node.name, table, plan.settings.maxParallelism, wallTime, fn.onTimer !== undefined),
      states: new OperatorStates(node.name, this.#takenIds),
      metrics: new OperatorMetrics(node.name, clock.monotonic()),
    };
    if (operator.timers !== undefined) this.#takenIds.set(operator.timers.stateId, `the timers of operator ${node.name}`);
    this.#operators.set(node.name, operator);
    this.#functions.push({ operator: node.name, fn });
    return operator;
  }

  /** After `open` nothing more is declared. */
  #opened({ registry, states, timers, table, metrics }: Operator, fn: LivingFunction & WithTimers, next: Receiver): void {
    registry?.seal();
    states.seal();
    metrics.seal();
    if (timers === undefined || fn.onTimer === undefined) return;
    this.#timerRuns.push(new TimerRun(timers, table!, this.host.context, fn as Required<WithTimers>, next));
  }

  #operatorContext({ node, states, metrics }: Operator): OperatorContext {
    const { context, plan, attempt } = this.host;
    return {
      job: plan.job,
      operator: node.name,
      taskIndex: plan.task,
      parallelism: plan.parallelism,
      attempt,
      timestamp: () => context.timestamp,
      record: context,
      metrics,
      operatorState: (descriptor) => states.list(descriptor),
      output: ({ id }, value) => this.#toSideOutput(node, id, value),
    };
  }

  #toSideOutput(node: FunctionNode, tag: string, value: unknown): void {
    const receiver = this.#sideOutputs.get(`${node.id}/${tag}`);
    if (receiver === undefined) throw errors.sideOutputUnread({ operator: node.name, tag });
    receiver.receive(value);
  }

  /** Keys are those that the function takes, as the types of streams have it. */
  #keyedContext(operator: Operator): KeyedContext<never> {
    const table = operator.table!;
    return {
      ...this.#operatorContext(operator),
      timerService: operator.timers!,
      state: operator.registry!.state,
      currentKey: () => {
        if (table.current === undefined) throw errors.stateOutsideKey({ state: 'currentKey()', operator: operator.node.name });
        return table.current.key as never;
      },
    };
  }

  /** What the operators declared: for the catalogue. */
  declarations(): Record<string, OperatorDeclaration> {
    const declared: Record<string, OperatorDeclaration> = {};
    for (const [name, { keyBy, registry, states: operatorStates }] of [...this.#operators].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const partitioner = keyBy === undefined ? undefined : this.host.plan.placements.get(keyBy.id)?.settled;
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
      if (keyBy !== undefined) this.host.plan.placements.get(keyBy.id)?.adopt(recorded[name]?.partitioner);
    }
  }

  /** A state in words, by its id; undefined if the task has none of that id. */
  nameOfState(id: number): string | undefined {
    return this.#takenIds.get(id);
  }

  /** Those of all states that were declared. */
  codecs(): Codec<unknown>[] {
    return [...this.#operators.values()].flatMap(({ registry, states }) => {
      const ofKeys = (registry?.descriptors ?? []).flatMap((descriptor) => (descriptor.kind === 'map' ? [descriptor.keyCodec, descriptor.codec] : [descriptor.codec]));
      return [...ofKeys, ...states.codecs];
    });
  }

  /** Reads operator states and timers, and lets the functions take them up. Before the first record. */
  load(store: StateStore, context: InitializationContext): void {
    for (const { states } of this.#operators.values()) states.load(store);
    for (const { timers } of this.#timerRuns) timers.load(store);
    this.#callAll('initializeState', (fn) => fn.initializeState(context));
  }

  #callAll(hook: 'initializeState' | 'snapshotState', call: (fn: LivingFunction) => void): void {
    for (const { operator, fn } of this.#functions) {
      try {
        call(fn);
      } catch (thrown) {
        throw isWeirError(thrown) ? thrown : errors.hookFailed({ hook, operator, problem: problemOf(thrown) }, thrown);
      }
    }
  }

  /** Tells what the functions have measured. */
  report(): void {
    const { plan, telemetry, clock } = this.host;
    const now = clock.monotonic();
    for (const { metrics } of this.#operators.values()) metrics.report(telemetry, plan, now);
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

  get timerRuns(): readonly TimerRun[] {
    return this.#timerRuns;
  }

  /** Changes of operator states and timers in the running epoch. */
  get pendingChanges(): number {
    let pending = 0;
    for (const { states } of this.#operators.values()) pending += states.changes;
    for (const { timers } of this.#timerRuns) pending += timers.changes;
    return pending;
  }

  /** Lets the functions put away what they hold, before anything is frozen. */
  snapshot(): void {
    this.#callAll('snapshotState', (fn) => fn.snapshotState());
  }

  /** Writes the changes of operator states and timers. */
  freeze(changes: RecordWriter, timestamp: number): void {
    for (const { states } of this.#operators.values()) states.freeze(changes, timestamp);
    for (const { timers } of this.#timerRuns) timers.freeze(changes, timestamp);
  }

  /** Closes all functions, whatever they throw, and tells what they measured last. */
  close(): unknown[] {
    const failures: unknown[] = [];
    for (const { fn } of this.#functions) {
      try {
        fn.close();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    this.report();
    return failures;
  }
}

/** What functions need of the pipeline that they are in. */
export interface FunctionHost {
  readonly plan: TaskPlan;
  readonly attempt: number;
  readonly context: RecordContext;
  readonly clock: Pick<Clock, 'wall' | 'monotonic'>;
  readonly telemetry: Telemetry;
  readonly tableOf: (keyBy: KeyByNode) => KeyTable;
  /** What an operator does with records that it cannot process; asked for once per node. */
  readonly badRuleOf: (node: FunctionNode) => BadRecordRule;
}

interface LivingFunction {
  initializeState(context: InitializationContext): void;
  snapshotState(): void;
  close(): void;
}

interface Operator {
  readonly node: FunctionNode;
  /** Undefined for an operator without keys, likewise the three below. Of connected streams the first one's. */
  readonly keyBy: KeyByNode | undefined;
  readonly table: KeyTable | undefined;
  readonly registry: KeyedStateRegistry | undefined;
  readonly timers: KeyedTimers | undefined;
  readonly states: OperatorStates;
  readonly metrics: OperatorMetrics;
}

/** What the catalogue says of operators without keys. */
const NO_KEY = { id: 'none', version: 1 };
