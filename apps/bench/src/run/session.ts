import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, clockOf, type Log } from '@weir/core';
import { kafka } from '@weir/kafka';
import { type AlertDigest, alertsOf } from '../input/alert-digest.js';
import type { KeySet } from '../input/fleet.js';
import { ensureInput, type InputTopic } from '../input/input-topic.js';
import { readAlerts } from '../input/output-topic.js';
import { RUNS_DIR } from '../places.js';
import type { CheckedRun } from '../report/figures.js';
import { whole } from '../report/table.js';
import type { RunResult } from './run-meter.js';
import type { RunSpec } from './run-spec.js';

/** A key set on the broker, and the alerts that it must lead to. */
export interface PreparedInput {
  readonly keySet: KeySet;
  readonly topic: string;
  readonly expected: AlertDigest;
}

/** One call of the benchmark: the broker it measures on, and the runs it makes there. */
export class Session {
  readonly clock: Clock = clockOf(globalThis);
  readonly #id = `weir-bench-${this.clock.newId().slice(0, 8)}`;
  readonly #inputs = new Map<string, PreparedInput>();
  #runs = 0;

  private constructor(
    readonly brokers: readonly string[],
    readonly batchBytes: number,
    readonly log: Log,
  ) {}

  static async open(brokers: readonly string[], batchBytes: number): Promise<Session> {
    const log = await kafka({ brokers, batchBytes }).open({ clock: clockOf(globalThis), clientId: 'weir-bench' });
    return new Session(brokers, batchBytes, log);
  }

  close(): Promise<void> {
    return this.log.close();
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  /** The input of a key set, written if it is not on the broker yet. */
  async prepare(keySet: KeySet): Promise<PreparedInput> {
    const name = JSON.stringify(keySet);
    let prepared = this.#inputs.get(name);
    if (prepared === undefined) {
      const input = await ensureInput(this.log, this.clock, keySet, `${this.batchBytes}`);
      this.#sayInput(keySet, input);
      prepared = { keySet, topic: input.topic, expected: alertsOf(keySet) };
      this.#inputs.set(name, prepared);
    }
    return prepared;
  }

  #sayInput({ records, sensors }: KeySet, { topic, writtenInMs }: InputTopic): void {
    const what = `${whole(records)} readings of ${whole(sensors)} sensors`;
    if (writtenInMs === undefined) this.say(`found ${what} in ${topic}`);
    else this.say(`wrote ${what} into ${topic} in ${(writtenInMs / 1_000).toFixed(1)} s`);
  }

  /** A run's spec: ids, topics and state that no other run has. */
  async spec({ keySet, topic }: Pick<PreparedInput, 'keySet' | 'topic'>, rest: Pick<RunSpec, 'parallelism' | 'intervalMs' | 'cacheEntries' | 'backend'>): Promise<RunSpec> {
    const applicationId = `${this.#id}-${++this.#runs}`;
    const output = `${applicationId}-alerts`;
    const { partitions, records } = keySet;
    await this.log.ensureTopics([{ topic: output, partitions, config: {} }]);
    await mkdir(RUNS_DIR, { recursive: true });
    const stateDir = await mkdtemp(join(RUNS_DIR, `${applicationId}-`));
    return { brokers: this.brokers, applicationId, input: topic, output, partitions, records, stateDir, ...rest };
  }

  /** Runs, then compares what it wrote with the model. */
  checked({ expected, keySet }: PreparedInput, spec: RunSpec, run: () => Promise<RunResult>): Promise<CheckedRun> {
    return this.inStateDir(spec, async () => {
      const result = await run();
      const found = await readAlerts(this.log, spec.output, keySet.partitions);
      return { ...result, alerts: found.count, isCorrect: found.equals(expected) };
    });
  }

  /** Runs, and removes what the run kept on disk. */
  async inStateDir<T>({ stateDir }: RunSpec, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  }
}
