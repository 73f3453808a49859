import { isWeirError, type TopicPartition } from '@weir/core';
import { errors } from '../errors.js';
import type { SeededRandom } from '../seeded-random.js';

/** The calls of a log client that a fault can strike; `publish` is an append outside of transactions. */
export const LOG_CALLS = [
  'ensureTopics',
  'describeTopic',
  'endPositions',
  'epochEnd',
  'deleteRecords',
  'deleteTopics',
  'fetch',
  'openWriter',
  'openAppender',
  'publish',
  'append',
  'addOffsets',
  'commit',
  'abort',
  'joinGroup',
  'syncGroup',
  'heartbeat',
  'leaveGroup',
] as const;
export type LogCall = (typeof LOG_CALLS)[number];

/**
 * Where in a call a fault strikes.
 *
 *   client --- send ---> log: takes effect --- applied ---> client --- replied ---> caller
 *
 * `send`: nothing has happened yet. `applied`: the log has done it, and its answer is under way. `replied`: the client has the
 * answer, and its caller does not know it yet.
 */
export type FaultStage = 'send' | 'applied' | 'replied';
export type FaultPoint = `${LogCall}:${FaultStage}`;

/**
 * The places where a task's commit can be cut, by the names that the tests of the whole job use. Kill the client there; or, for
 * `endTxnReplyLost`, lose the reply, and the client must find out by itself.
 */
export const CRASH_POINTS = {
  beforeProduce: 'append:send',
  producedOffsetsNotSent: 'addOffsets:send',
  beforeEndTxn: 'commit:send',
  endTxnReplyLost: 'commit:applied',
  committedStateNotWritten: 'commit:replied',
  /** Together with `when: touches(changelog)`. */
  midRestore: 'fetch:replied',
} as const satisfies Readonly<Record<string, FaultPoint>>;
export type CrashPoint = keyof typeof CRASH_POINTS;

export type FaultAction =
  /** The caller gets this error. At `applied` and `replied` although the call took effect. */
  | { readonly type: 'fail'; readonly error: Error }
  /** The request (at `send`) or the reply (at `applied`) is lost. The client notices and sends it again by itself. */
  | { readonly type: 'lose' }
  /**
   * At `send`: the caller gets this error at once, and the request reaches the log after `ms` all the same, whatever its client does then. No
   * answer comes back. Not of a commit: its client asks until the outcome is definite (L4).
   */
  | { readonly type: 'late'; readonly ms: number; readonly error: Error }
  /** The call waits here, by the client's clock. */
  | { readonly type: 'delay'; readonly ms: number }
  /** The client dies here: none of its calls takes effect any more, and no promise of it ever settles. */
  | { readonly type: 'kill' }
  /** Something else happens at this very moment: a rival opens a writer, a leader moves. The call then goes on. */
  | { readonly type: 'run'; readonly run: () => void };

/** What a call is about, for `when`. */
export interface CallFacts {
  readonly call: LogCall;
  readonly clientId: string;
  readonly transactionalId?: string;
  readonly partitions: readonly TopicPartition[];
}

/** For `when`: whether a call has to do with a topic. */
export const touches =
  (topic: string) =>
  (facts: CallFacts): boolean =>
    facts.partitions.some((partition) => partition.topic === topic);

export interface FaultOptions {
  /** Which calls count; default all of the point. */
  readonly when?: (facts: CallFacts) => boolean;
  /** How many of them pass unharmed first. Default 0. */
  readonly skip?: number;
  /** How many are struck after that. Default 1. */
  readonly times?: number;
}

export interface RandomFaults {
  readonly points: readonly FaultPoint[];
  /** Of each call at each of the points, 0 to 1. */
  readonly probability: number;
  readonly action: (point: FaultPoint, random: SeededRandom) => FaultAction;
  readonly when?: (facts: CallFacts) => boolean;
  /** Strikes after which there are no more. Default: no limit. */
  readonly limit?: number;
}

/** A fault that was planned. */
export interface PlannedFault {
  /** How often it has struck. */
  readonly hits: number;
  remove(): void;
}

/** Which faults strike when. Rules are asked in the order in which they were planned; the first that strikes is the one. */
export class FaultPlan {
  readonly #rules: Rule[] = [];
  readonly #passed = new Map<FaultPoint, number>();

  constructor(private readonly random: SeededRandom) {}

  /** @throws WeirError `invalid` FAULT_BREAKS_PORT for a fault that a real log could not have */
  at(point: FaultPoint, action: FaultAction, options: FaultOptions = {}): PlannedFault {
    checkAction(point, action);
    let toSkip = options.skip ?? 0;
    let left = options.times ?? 1;
    return this.#plan((at, facts) => {
      if (at !== point || left === 0 || options.when?.(facts) === false) return undefined;
      if (toSkip > 0) {
        toSkip--;
        return undefined;
      }
      left--;
      return action;
    });
  }

  /** Strikes at random, by the cluster's seed. */
  randomly(faults: RandomFaults): PlannedFault {
    const points = new Set(faults.points);
    let left = faults.limit ?? Infinity;
    return this.#plan((point, facts) => {
      if (!points.has(point) || left === 0 || faults.when?.(facts) === false) return undefined;
      if (!this.random.chance(faults.probability)) return undefined;
      left--;
      const action = faults.action(point, this.random);
      checkAction(point, action);
      return action;
    });
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** How many calls have come past a point, struck or not: to see that a spec reaches what it is about. */
  passed(point: FaultPoint): number {
    return this.#passed.get(point) ?? 0;
  }

  /** What strikes this call here, if anything. Asked by the clients. */
  next(point: FaultPoint, facts: CallFacts): FaultAction | undefined {
    this.#passed.set(point, this.passed(point) + 1);
    for (const rule of this.#rules) {
      const action = rule.strike(point, facts);
      if (action === undefined) continue;
      rule.hits++;
      return action;
    }
    return undefined;
  }

  #plan(strike: Rule['strike']): PlannedFault {
    const rule: Rule = { strike, hits: 0 };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        const at = this.#rules.indexOf(rule);
        if (at !== -1) this.#rules.splice(at, 1);
      },
    };
  }
}

interface Rule {
  hits: number;
  readonly strike: (point: FaultPoint, facts: CallFacts) => FaultAction | undefined;
}

function checkAction(point: FaultPoint, action: FaultAction): void {
  const refuse = (problem: string): never => {
    throw errors.faultBreaksPort({ point, problem });
  };
  if (action.type === 'lose' && point.endsWith(':replied')) refuse('a reply that has arrived cannot be lost');
  if (action.type === 'late' && (!point.endsWith(':send') || point.startsWith('commit:'))) refuse('only a request can be late, and not that of a commit (L4)');
  const committed = point === 'commit:applied' || point === 'commit:replied';
  if (action.type === 'fail' && committed && !isWeirError(action.error, 'fenced')) {
    refuse('a commit that took effect may only fail as fenced (L4)');
  }
}
