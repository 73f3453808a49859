/**
 * Clock: the only source of time, timers, randomness and ids in core and its adapters.
 *
 * Guarantees: `monotonic` never goes back; `after` runs its callback once, later, never during the call, and never after
 * it was cancelled; timers of equal due time run in the order of their creation.
 */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For timestamps that others read. */
  wall(): number;
  /** Milliseconds since an arbitrary start; for durations. */
  monotonic(): number;
  /** Runs `run` after `ms` milliseconds; 0 means as soon as pending I/O had its turn. Returns what cancels it. */
  after(ms: number, run: () => void): Cancel;
  /** A number in [0, 1). */
  random(): number;
  /** A new id, 32 hexadecimal digits, unique for all practical purposes. */
  newId(): string;
}

export type Cancel = () => void;

/** Resolves after `ms` milliseconds of the clock. */
export const sleep = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));

/** What a Clock is made of; `globalThis` of Node fits. */
export interface ClockHost {
  readonly Date: { now(): number };
  readonly performance: { now(): number };
  readonly Math: { random(): number };
  readonly crypto: { randomUUID(): string };
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: never): void;
  setImmediate(run: () => void): unknown;
  clearImmediate(handle: never): void;
}

/** The real clock of a host: `clockOf(globalThis)`. Its timers keep the process alive until they ran or were cancelled. */
export function clockOf(host: ClockHost): Clock {
  return {
    wall: () => host.Date.now(),
    monotonic: () => host.performance.now(),
    random: () => host.Math.random(),
    newId: () => host.crypto.randomUUID().replaceAll('-', ''),
    after: (ms, run) => {
      if (ms <= 0) {
        const handle = host.setImmediate(run);
        return () => host.clearImmediate(handle as never);
      }
      const handle = host.setTimeout(run, ms);
      return () => host.clearTimeout(handle as never);
    },
  };
}
