import type { OperatorStates } from '../state/operator-state.js';
import type { Collector } from '../topology/functions.js';
import type { BadRecordRule } from './bad-records.js';
import { onThrown, type Receiver } from './operators.js';
import type { RecordContext } from './record-context.js';

/** One side of a rich function; the state that it sees is that of the table's current entry. */
export class FunctionOperator implements Receiver {
  /** @param run calls the function with a value and passes on what it gives */
  constructor(
    private readonly bad: BadRecordRule,
    private readonly context: RecordContext,
    private readonly run: (value: unknown) => void,
  ) {}

  receive(value: unknown): void {
    try {
      this.run(value);
    } catch (thrown) {
      onThrown(thrown, this.bad, this.context);
    }
  }
}

/** The broadcast side of a connected function: the only one that may write broadcast state. It has no key. */
export class BroadcastSide implements Receiver {
  constructor(
    private readonly bad: BadRecordRule,
    private readonly context: RecordContext,
    private readonly states: OperatorStates,
    private readonly fn: WithBroadcast,
  ) {}

  receive(value: unknown): void {
    this.states.broadcastSide = true;
    this.context.key = null;
    try {
      this.fn.processBroadcast(value);
    } catch (thrown) {
      onThrown(thrown, this.bad, this.context);
    } finally {
      this.states.broadcastSide = false;
    }
  }
}

type Map = (value: unknown) => unknown;
type FlatMap = (value: unknown, out: Collector<unknown>) => void;

/** A function of one stream. */
export type Runnable =
  | { readonly type: 'map'; readonly fn: { map: Map } }
  | { readonly type: 'filter'; readonly fn: { filter(value: unknown): boolean } }
  | { readonly type: 'flatMap'; readonly fn: { flatMap: FlatMap } }
  | { readonly type: 'process'; readonly fn: { process: FlatMap } };

/** A function of two streams. */
export type Sides =
  | { readonly type: 'map'; readonly fn: { map1: Map; map2: Map } }
  | { readonly type: 'flatMap'; readonly fn: { flatMap1: FlatMap; flatMap2: FlatMap } }
  | { readonly type: 'process'; readonly fn: { process1: FlatMap; process2: FlatMap } };

export interface WithBroadcast {
  processBroadcast(value: unknown): void;
}

/** What a function may have to be woken by its timers. */
export interface WithTimers {
  onTimer?(at: number, out: Collector<unknown>): void;
}

export function runOf(runnable: Runnable, next: Receiver): (value: unknown) => void {
  const out: Collector<unknown> = { collect: (result) => next.receive(result) };
  switch (runnable.type) {
    case 'map': {
      const { fn } = runnable;
      return (value) => next.receive(fn.map(value));
    }
    case 'filter': {
      const { fn } = runnable;
      return (value) => {
        if (fn.filter(value)) next.receive(value);
      };
    }
    case 'flatMap': {
      const { fn } = runnable;
      return (value) => fn.flatMap(value, out);
    }
    case 'process': {
      const { fn } = runnable;
      return (value) => fn.process(value, out);
    }
  }
}

export function coRunOf(sides: Sides, side: 1 | 2, next: Receiver): (value: unknown) => void {
  const out: Collector<unknown> = { collect: (result) => next.receive(result) };
  switch (sides.type) {
    case 'map': {
      const { fn } = sides;
      return side === 1 ? (value) => next.receive(fn.map1(value)) : (value) => next.receive(fn.map2(value));
    }
    case 'flatMap': {
      const { fn } = sides;
      return side === 1 ? (value) => fn.flatMap1(value, out) : (value) => fn.flatMap2(value, out);
    }
    case 'process': {
      const { fn } = sides;
      return side === 1 ? (value) => fn.process1(value, out) : (value) => fn.process2(value, out);
    }
  }
}
