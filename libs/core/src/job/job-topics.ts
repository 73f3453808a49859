import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { type Clock, sleep } from '../ports/clock.js';
import type { Log, TopicDescription, TopicSpec } from '../ports/log.js';
import type { Telemetry } from '../ports/telemetry.js';
import { changelogSpec, controlSpec, type InternalTopicOptions, repartitionSpec } from './internal-topics.js';

/**
 * The topics a job needs: inputs are waited for, and said to be; outputs and changelogs are created where they are missing.
 */
export interface TopicsHost {
  readonly job: string;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly internalTopics: InternalTopicOptions;
  /** Says what the job waits for; undefined once it no longer waits. */
  onWaiting(reason: string | undefined): void;
  isCanceled(): boolean;
}

/** Milliseconds between two looks for what is missing. */
const RETRY_MS = 1_000;

/** Does `act` until it succeeds, as long as the log cannot be reached; undefined if canceled. */
export async function untilReached<T>(host: TopicsHost, act: () => Promise<T>): Promise<T | undefined> {
  let waited = false;
  while (!host.isCanceled()) {
    try {
      const result = await act();
      if (waited) host.onWaiting(undefined);
      return result;
    } catch (thrown) {
      if (!isWeirError(thrown, 'retry')) throw thrown;
      waited = true;
      host.onWaiting(`waiting for the log: ${thrown.message}`);
    }
    await sleep(host.clock, RETRY_MS);
  }
  return undefined;
}

/** Descriptions of the inputs, once all exist; undefined if canceled. */
export async function waitForInputs(log: Log, names: readonly string[], host: TopicsHost): Promise<ReadonlyMap<string, TopicDescription> | undefined> {
  let waited = false;
  while (!host.isCanceled()) {
    const found = await untilReached(host, () => Promise.all(names.map((name) => log.describeTopic(name))));
    if (found === undefined) return undefined;
    const missing = names.filter((_, i) => found[i] === undefined);
    if (missing.length === 0) {
      if (waited) host.onWaiting(undefined);
      return new Map(names.map((name, i) => [name, found[i]!]));
    }
    const which = missing.map((name) => `"${name}"`).join(', ');
    waited = true;
    host.onWaiting(`waiting for input topic ${which}, which does not exist yet: create it, and the job goes on by itself`);
    await sleep(host.clock, RETRY_MS);
  }
  return undefined;
}

/**
 * Describes a topic that the job writes, creating it where it is missing.
 * @returns undefined if canceled
 */
export async function ensureOutput(log: Log, topic: string, partitions: number, host: TopicsHost): Promise<TopicDescription | undefined> {
  const found = await untilReached(host, () => log.describeTopic(topic));
  if (found !== undefined || host.isCanceled()) return found;
  const { job, telemetry } = host;
  telemetry.emit({ type: 'job-notice', job, message: `Output topic "${topic}" does not exist: creating it with ${partitions} partitions, as the input has.` });
  return create(log, { topic, partitions, config: {} }, host);
}

/**
 * Describes a changelog, creating it where it is missing.
 * @throws WeirError `invalid` PARALLELISM_CHANGED
 */
export async function ensureChangelog(log: Log, topic: string, parallelism: number, host: TopicsHost): Promise<TopicDescription | undefined> {
  const found = await untilReached(host, () => log.describeTopic(topic));
  if (host.isCanceled()) return undefined;
  if (found === undefined) return create(log, changelogSpec(topic, parallelism, host.internalTopics), host);
  if (found.partitions !== parallelism) throw errors.parallelismChanged({ topic, recorded: found.partitions, wanted: parallelism });
  return found;
}

/**
 * Describes a repartition topic, creating it where it is missing.
 * @throws WeirError `invalid` INPUT_PARTITIONS_CHANGED
 */
export async function ensureRepartition(log: Log, topic: string, partitions: number, host: TopicsHost): Promise<TopicDescription | undefined> {
  const found = await untilReached(host, () => log.describeTopic(topic));
  if (host.isCanceled()) return undefined;
  if (found === undefined) return create(log, repartitionSpec(topic, partitions, host.internalTopics), host);
  if (found.partitions !== partitions) throw errors.inputPartitionsChanged({ topic, recorded: found.partitions, found: partitions });
  return found;
}

/**
 * Describes the control topic, creating it where it is missing.
 * @throws WeirError `invalid` CONTROL_TOPIC_INVALID
 */
export async function ensureControl(log: Log, topic: string, host: TopicsHost): Promise<TopicDescription | undefined> {
  const found = await untilReached(host, () => log.describeTopic(topic));
  if (host.isCanceled()) return undefined;
  if (found === undefined) return create(log, controlSpec(topic, host.internalTopics), host);
  if (found.partitions !== 1) throw errors.controlTopicInvalid({ topic, partitions: found.partitions });
  return found;
}

/** A new topic takes a moment until every broker knows it. */
async function create(log: Log, spec: TopicSpec, host: TopicsHost): Promise<TopicDescription | undefined> {
  await untilReached(host, () => log.ensureTopics([spec]));
  const created = await waitForInputs(log, [spec.topic], host);
  return created?.get(spec.topic);
}
