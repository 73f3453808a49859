import { type BroadcastStream, type Collector, type KeyedContext, KeyedProcess, type KeyedStream, type Stream, utf8 } from '@weir/core';

/**
 * One operation on one kind of state, twice: in a job, and in what a plain program would keep. A record is its key, and asks for one
 * operation: first for `prepare`, then for `measure`.
 */
export interface StateCase {
  readonly title: string;
  /** The measured records are those of the broadcast; else they are keyed. */
  readonly isOfBroadcast?: boolean;
  /** Each measured record sets a timer, which is to have fired before the measurement ends. */
  readonly awaitsTimers?: boolean;
  define(streams: CaseStreams, run: CaseRun): void;
  /** What a plain program does for the same records. */
  plain(run: CaseRun): (key: string) => void;
}

export interface CaseStreams {
  readonly records: Stream<unknown, string>;
  /** The topic is read only if this is called. */
  readonly broadcast: () => BroadcastStream<string>;
}

/** What all records ask for now, and what they have led to. */
export interface CaseRun {
  phase: 'prepare' | 'measure';
  /** Timers that have fired. */
  fired: number;
  /** Of what was read: so that no read can be left out as useless, and a value that is lost shows. */
  sum: number;
}

/** An operation: on a state of the current key, or on its counterpart. @param n counts the records of a task */
export type Operation<S> = (state: S, n: number, run: CaseRun) => void;

export interface KeyedForm<S, P> {
  readonly title: string;
  readonly open: (context: KeyedContext<string>) => S;
  readonly prepare?: Operation<S>;
  readonly measure: Operation<S>;
  /** What a plain program keeps per key, in a Map. */
  readonly plainState: () => P;
  readonly plainPrepare?: Operation<P>;
  readonly plainMeasure: Operation<P>;
  readonly awaitsTimers?: boolean;
}

/** A case behind a keyBy. */
export function keyed<S, P>(form: KeyedForm<S, P>): StateCase {
  return {
    title: form.title,
    awaitsTimers: form.awaitsTimers ?? false,
    define: ({ records }, run) => {
      keyByItself(records).process<never>(OPERATOR, () => new CaseFunction(form, run));
    },
    plain: (run) => {
      const states = new Map<string, P>();
      let n = 0;
      return (key) => {
        let state = states.get(key);
        if (state === undefined) states.set(key, (state = form.plainState()));
        if (run.phase === 'measure') form.plainMeasure(state, n++, run);
        else form.plainPrepare?.(state, n++, run);
      };
    },
  };
}

export const OPERATOR = 'case';

export const keyByItself = (records: Stream<unknown, string>): KeyedStream<string, string> =>
  records.keyBy(utf8, (key) => key, { alreadyPartitioned: { partitioner: 'murmur2' } });

class CaseFunction<S, P> extends KeyedProcess<string, string, never> {
  #state!: S;
  #n = 0;

  constructor(
    private readonly form: KeyedForm<S, P>,
    private readonly run: CaseRun,
  ) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    this.#state = this.form.open(context);
  }

  override process(): void {
    if (this.run.phase === 'measure') this.form.measure(this.#state, this.#n++, this.run);
    else this.form.prepare?.(this.#state, this.#n++, this.run);
  }

  override onTimer(_at: number, _out: Collector<never>): void {
    this.run.fired++;
  }
}
