import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { changelogTopic, incarnation } from '@weir/core';
import { JavaWitness } from '../witness/java-witness.js';
import { SeenTrail } from '../witness/seen-trail.js';
import { WeirWitness } from '../witness/weir-witness.js';
import { Judge, type Verdict } from './judge.js';
import { readStores } from './read-stores.js';

/**
 * The judge, a program of its own that only reads. It prints its verdict as one line of JSON, and exits with 1 if a rule is broken, 2 if
 * it could not judge.
 *
 *   node dist/apps/verifier/judge/main.js --brokers HOST:PORT --application-id ID --input TOPIC --output TOPIC
 *     [--threshold DEGREES] [--stores DIR] [--saw NAME=FILE ...]
 *
 * --stores: a folder of copies of the state directory, each made when the service was dead. --saw: what a reader saw of the output while
 * the service was being killed, one line a record (see seen-trail.ts).
 */
interface JudgeArguments {
  readonly brokers: string;
  readonly applicationId: string;
  readonly input: string;
  readonly output: string;
  readonly threshold: number;
  readonly stores: string | undefined;
  readonly saw: readonly string[];
}

/** The framework's default; the service does not set another. */
const MAX_PARALLELISM = 128;

function argumentsFrom(args: readonly string[]): JudgeArguments {
  const text = { type: 'string' } as const;
  const options = {
    brokers: text,
    'application-id': text,
    input: text,
    output: text,
    threshold: text,
    stores: text,
    saw: { type: 'string', multiple: true },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const need = (name: 'brokers' | 'application-id' | 'input' | 'output'): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  return {
    brokers: need('brokers'),
    applicationId: need('application-id'),
    input: need('input'),
    output: need('output'),
    threshold: Number(values.threshold ?? '10'),
    stores: values.stores,
    saw: values.saw ?? [],
  };
}

async function judgeRun(given: JudgeArguments, java: JavaWitness, weir: WeirWitness): Promise<Verdict> {
  const { applicationId, input, output } = given;
  const changelog = changelogTopic(applicationId, incarnation(0), 0);
  const tasks = (await java.ends(changelog)).length;
  if (tasks === 0) throw new Error(`there is no changelog ${changelog}: did the service ever run?`);
  const storeCopies = given.stores === undefined ? [] : await readStores(given.stores, applicationId, tasks);
  const judge = new Judge({ threshold: given.threshold, inputTopic: input, tasks, maxParallelism: MAX_PARALLELISM, storeCopies });

  await java.read(input, 'committed', (record) => judge.input(record));
  const trails = { output: new SeenTrail(), changelog: new SeenTrail() };
  await java.read(output, 'committed', (record) => {
    judge.output(record);
    trails.output.see(record);
  });
  await java.read(changelog, 'committed', (record) => {
    judge.changelog(record);
    trails.changelog.see(record);
  });
  for (const [topic, trail] of [
    [output, trails.output],
    [changelog, trails.changelog],
  ] as const) {
    const own = new SeenTrail();
    await weir.read(topic, (record) => own.see(record));
    for (const difference of own.differences('Weir', trail, 'Java')) judge.violations.add('readers-disagree', `${topic} ${difference}`);
  }
  await compareFollowers(given.saw, trails.output, judge);
  return judge.verdict({
    input: await java.ends(input),
    output: await java.ends(output),
    changelog: await java.ends(changelog),
    groupOffsets: await java.groupOffsets(applicationId, input),
    openTransactions: [...(await java.openTransactions(output)), ...(await java.openTransactions(changelog))],
  });
}

async function compareFollowers(saw: readonly string[], final: SeenTrail, judge: Judge): Promise<void> {
  for (const each of saw) {
    const [name, file] = each.split('=', 2) as [string, string];
    const trail = new SeenTrail();
    for (const line of (await readFile(file, 'utf8')).split('\n')) if (line !== '') trail.seeLine(line);
    for (const difference of trail.differences(name, final, 'the topic')) judge.violations.add('reader-saw-uncommitted', difference);
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
