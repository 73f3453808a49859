import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JobUnderTest } from '../jobs/job-under-test.js';
import { JOBS, type JobName } from '../jobs/jobs.js';
import { JavaWitness } from '../witness/java-witness.js';
import type { SeenEnds, SeenRecord } from '../witness/seen-record.js';
import { SeenTrail } from '../witness/seen-trail.js';
import { WeirWitness } from '../witness/weir-witness.js';
import type { JobLayout, TopicNames } from './job-model.js';
import { type ClosingFacts, Judge, type Verdict } from './judge.js';
import { readStores } from './read-stores.js';
import { snapshotRows } from './snapshot-rows.js';

/**
 * The judge, a program of its own that only reads. It prints its verdict as one line of JSON, and exits with 1 if a rule is broken, 2 if
 * it could not judge.
 *
 *   node dist/apps/verifier/judge/main.js --brokers HOST:PORT --job NAME --application-id ID --topic VARIABLE=TOPIC ...
 *     [--stores DIR] [--snapshots DIR] [--saw NAME:TOPIC=FILE ...]
 *
 * --topic: the service's topics, by the variables that name them. --stores: a folder of copies of the state directory, each made when the
 * service was dead. --snapshots: where the service keeps state that its changelogs do not hold. --saw: what a reader saw of an output while the service was being killed, one line a record (see seen-trail.ts).
 */
interface JudgeArguments {
  readonly brokers: string;
  readonly job: JobUnderTest;
  readonly applicationId: string;
  readonly topics: TopicNames;
  readonly stores: string | undefined;
  readonly snapshots: string | undefined;
  readonly saw: readonly string[];
}

function argumentsFrom(args: readonly string[]): JudgeArguments {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const options = { brokers: text, job: text, 'application-id': text, topic: texts, stores: text, snapshots: text, saw: texts } as const;
  const { values } = parseArgs({ args: [...args], options });
  const need = (name: 'brokers' | 'job' | 'application-id'): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const job = need('job');
  if (!Object.hasOwn(JOBS, job)) throw new Error(`--job is ${job}; allowed: ${Object.keys(JOBS).join(', ')}`);
  return {
    brokers: need('brokers'),
    job: JOBS[job as JobName],
    applicationId: need('application-id'),
    topics: Object.fromEntries((values.topic ?? []).map((pair) => pair.split('=', 2) as [string, string])),
    stores: values.stores,
    snapshots: values.snapshots,
    saw: values.saw ?? [],
  };
}

async function judgeRun(given: JudgeArguments, java: JavaWitness, weir: WeirWitness): Promise<Verdict> {
  const { applicationId, job, topics } = given;
  const layout = job.layout(applicationId, topics);
  const tasks: number[] = [];
  for (const { changelog } of layout.stages) {
    const { length } = await java.ends(changelog);
    if (length === 0) throw new Error(`there is no changelog ${changelog}: did the service ever run?`);
    tasks.push(length);
  }
  const storeCopies = given.stores === undefined ? [] : await readStores(given.stores, applicationId, tasks);
  const judge = new Judge({ layout, model: (violations) => job.model(topics, violations), tasks, storeCopies });

  const { broadcasts, inputs } = layout.stages[0]!;
  for (const topic of [...broadcasts, ...inputs]) await java.read(topic, 'committed', (record) => judge.input(topic, record));
  const trails = new Map<string, SeenTrail>();
  for (const topic of layout.outputs) await readBoth(topic, java, weir, judge, trails, (record) => judge.output(topic, record));
  for (const [stage, { changelog }] of layout.stages.entries())
    await readBoth(changelog, java, weir, judge, trails, (record) => judge.changelog(stage, record));
  for (const topic of layout.stages.slice(1).flatMap((stage) => stage.inputs))
    await java.read(topic, 'committed', (record) => judge.shuffled(topic, record));
  await compareFollowers(given.saw, trails, judge);
  for (const { stage, task, files } of judge.snapshots) {
    const dir = join(given.snapshots ?? '', applicationId, '0', `${stage}-${task}`);
    for (const file of files) for (const row of snapshotRows(await readFile(join(dir, file)))) judge.snapshotRow(stage, task, row);
  }
  return judge.verdict(await closingFacts(layout, applicationId, java));
}

/** With Kafka's client for the judge, and again with Weir's reader, which must see the same. */
async function readBoth(
  topic: string,
  java: JavaWitness,
  weir: WeirWitness,
  judge: Judge,
  trails: Map<string, SeenTrail>,
  onRecord: (record: SeenRecord) => void,
): Promise<void> {
  const trail = new SeenTrail();
  await java.read(topic, 'committed', (record) => {
    onRecord(record);
    trail.see(record);
  });
  trails.set(topic, trail);
  const own = new SeenTrail();
  await weir.read(topic, (record) => own.see(record));
  for (const difference of own.differences('Weir', trail, 'Java')) judge.violations.add('readers-disagree', `${topic} ${difference}`);
}

async function closingFacts({ stages, outputs }: JobLayout, applicationId: string, java: JavaWitness): Promise<ClosingFacts> {
  const ends = new Map<string, readonly SeenEnds[]>();
  const read = stages.flatMap(({ inputs, broadcasts }) => [...inputs, ...broadcasts]);
  const written = [...outputs, ...stages.map(({ changelog }) => changelog), ...stages.slice(1).flatMap(({ inputs }) => inputs)];
  for (const topic of new Set([...read, ...written])) ends.set(topic, await java.ends(topic));
  const groupOffsets = new Map<string, ReadonlyMap<number, number>>();
  for (const topic of stages.flatMap(({ inputs }) => inputs)) groupOffsets.set(topic, await java.groupOffsets(applicationId, topic));
  const openTransactions: string[] = [];
  for (const topic of written) openTransactions.push(...(await java.openTransactions(topic)));
  return { ends, groupOffsets, openTransactions };
}

async function compareFollowers(saw: readonly string[], finals: ReadonlyMap<string, SeenTrail>, judge: Judge): Promise<void> {
  for (const each of saw) {
    const [, name, topic, file] = /^([^:]+):([^=]+)=(.*)$/.exec(each) as unknown as [string, string, string, string];
    const trail = new SeenTrail();
    for (const line of (await readFile(file, 'utf8')).split('\n')) if (line !== '') trail.seeLine(line);
    for (const difference of trail.differences(name, finals.get(topic)!, 'the topic')) judge.violations.add('reader-saw-uncommitted', `${topic} ${difference}`);
  }
}

async function main(): Promise<void> {
  const given = argumentsFrom(process.argv.slice(2));
  const java = await JavaWitness.start(given.brokers);
  const weir = await WeirWitness.start(given.brokers);
  try {
    const verdict = await judgeRun(given, java, weir);
    console.log(JSON.stringify(verdict));
    process.exitCode = verdict.ok ? 0 : 1;
  } finally {
    await java.close();
    await weir.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
});
