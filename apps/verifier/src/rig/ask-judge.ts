import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TopicNames } from '../judge/job-model.js';
import type { Verdict } from '../judge/judge.js';
import { LineProcess } from '../witness/line-process.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import type { SeenTrail } from '../witness/seen-trail.js';

export interface JudgeRequest {
  readonly brokers: string;
  readonly job: string;
  readonly applicationId: string;
  readonly topics: TopicNames;
  readonly folder: string;
  /** What readers saw of an output during the faults. */
  readonly saw: readonly { readonly reader: string; readonly topic: string; readonly trail: SeenTrail }[];
}

/** Where a service of this run keeps snapshots. */
export const snapshotsIn = (folder: string): string => join(folder, 'snapshots');

/** Starts the judge as a program of its own, which shares nothing with the rig but files. @throws Error if it could not judge */
export async function askJudge({ brokers, job, applicationId, topics, folder, saw }: JudgeRequest): Promise<Verdict> {
  const stores = join(folder, 'stores');
  await mkdir(stores, { recursive: true });
  const args = ['--brokers', brokers, '--job', job, '--application-id', applicationId, '--stores', stores];
  args.push('--snapshots', snapshotsIn(folder));
  for (const [variable, topic] of Object.entries(topics)) args.push('--topic', `${variable}=${topic}`);
  for (const { reader, topic, trail } of saw) {
    const file = join(folder, `saw-${reader}-${topic}.txt`);
    await writeFile(file, [...trail.lines()].join('\n'));
    args.push('--saw', `${reader}:${topic}=${file}`);
  }
  const lines: string[] = [];
  const program = join(PROJECT_ROOT, 'dist', 'apps', 'verifier', 'judge', 'main.js');
  const judge = new LineProcess({ command: [process.execPath, program, ...args], onLine: (line) => lines.push(line) });
  try {
    const { code, signal } = await judge.ended;
    const last = lines.at(-1);
    if ((code === 0 || code === 1) && last !== undefined) return JSON.parse(last) as Verdict;
    throw new Error(`the judge could not judge (${signal ?? `exit code ${code}`}): ${judge.lastWords}`);
  } finally {
    await judge.kill();
  }
}
