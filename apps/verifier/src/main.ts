import { constants } from 'node:os';
import { type Clock, clockOf } from '@weir/core';
import { startOneBroker } from './brokers/own-cluster.js';
import { isSiege } from './killer/kill-plan.js';
import { ReportFile } from './rig/report-file.js';
import { progressLine, reportText } from './rig/report-text.js';
import { HELP, rigArguments, type RunOptions } from './rig/run-options.js';
import { rollingText, rollOnce } from './rig/rolling.js';
import type { RunReport } from './rig/run-report.js';
import { runOnce } from './rig/run.js';

/** A sabotage that hides from one run is looked for in a few more, each with the next seed. */
const SABOTAGE_RUNS = 8;
const PROGRESS_MS = 60_000;

async function main(): Promise<void> {
  const clock = clockOf(globalThis);
  const { runs, report: file, json, help } = rigArguments(process.argv.slice(2), process.env, () => Math.floor(clock.random() * 2 ** 32));
  if (help) {
    console.log(HELP);
    return;
  }
  const own = runs.some(({ variant, brokers }) => brokers === '' && !isSiege(variant)) ? await startOneBroker() : undefined;
  const given = runs.filter(({ variant }) => isSiege(variant)).map(({ variant }) => variant);
  if (given.length > 0 && runs[0]!.brokers !== '') console.error(`${given.join(', ')} strikes brokers: it starts a cluster of its own, and leaves KAFKA_BROKERS alone`);
  const reportFile = new ReportFile(file, clock);
  let failed = false;
  try {
    for (const planned of runs) {
      const run = own === undefined ? planned : { ...planned, brokers: own.brokers };
      if (run.variant === 'rolling') {
        const rolled = await rollOnce(run, clock);
        console.log(json ? JSON.stringify(rolled) : rollingText(rolled));
        failed ||= !rolled.ok;
        continue;
      }
      const report = run.sabotage === undefined ? await watched(run, clock, reportFile) : await foundOut(run, clock);
      console.log(json ? JSON.stringify(report) : reportText(report));
      failed ||= report.sabotage === undefined ? !report.ok : report.ok;
    }
  } finally {
    await own?.stop();
  }
  process.exit(failed ? 1 : 0);
}

/** Says each minute how far it is, and has the report ready however it ends. */
async function watched(run: RunOptions, clock: Clock, file: ReportFile): Promise<RunReport> {
  let cancel: () => void = () => undefined;
  try {
    const report = await runOnce(run, clock, (soFar) => {
      const say = (): void => {
        const now = soFar('it is under way');
        console.error(progressLine(run, now));
        file.write(run, now);
        cancel = clock.after(PROGRESS_MS, say);
      };
      cancel = clock.after(PROGRESS_MS, say);
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
        process.once(signal, () => {
          file.write(run, soFar(`interrupted by ${signal}`));
          process.exit(128 + constants.signals[signal]); // what was started ends with its starter
        });
      }
    });
    file.write(run, report);
    return report;
  } catch (error) {
    file.failed(error);
    throw error;
  } finally {
    cancel();
  }
}

async function foundOut(run: RunOptions, clock: Clock): Promise<RunReport> {
  let kills = 0;
  for (let i = 0; ; i++) {
    const report = await runOnce({ ...run, seed: run.seed + i }, clock);
    kills += report.ok ? report.kills : (report.foundAfterKills ?? report.kills);
    if (!report.ok || i === SABOTAGE_RUNS - 1) return { ...report, ...(report.ok ? {} : { foundAfterKills: kills }), kills };
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
});
