import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LineProcess } from '../witness/line-process.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import type { RunReport } from './run-report.js';

const RIG = join(PROJECT_ROOT, 'dist', 'apps', 'verifier', 'main.js');

/** @throws Error that says what to do if the rig is not built */
export function requireRig(): void {
  if (!existsSync(RIG)) throw new Error(`${RIG} is not built: run npm run build`);
}

/** Runs the rig, as the command line does, to its one report. @param brokers undefined for a run with a cluster of its own */
export async function runRig(brokers: string | undefined, ...args: readonly string[]): Promise<{ readonly report: RunReport; readonly code: number | null }> {
  const lines: string[] = [];
  const rig = new LineProcess({
    command: [process.execPath, RIG, '--json', ...(brokers === undefined ? [] : ['--brokers', brokers]), ...args],
    env: { ...process.env, NODE_OPTIONS: undefined },
    onLine: (line) => lines.push(line),
  });
  try {
    const { code } = await rig.ended;
    if (lines.length === 0) throw new Error(`the rig has no report: ${rig.lastWords}`);
    return { report: JSON.parse(lines.at(-1)!) as RunReport, code };
  } finally {
    await rig.kill();
  }
}
