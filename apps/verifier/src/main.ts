import { clockOf } from '@weir/core';
import { reportText } from './rig/report-text.js';
import { HELP, rigArguments, type RunOptions } from './rig/run-options.js';
import { rollingText, rollOnce } from './rig/rolling.js';
import { runOnce, type RunReport } from './rig/run.js';

/** A sabotage that hides from one run is looked for in a few more, each with the next seed. */
const SABOTAGE_RUNS = 8;

async function main(): Promise<void> {
  const clock = clockOf(globalThis);
  const { runs, json, help } = rigArguments(process.argv.slice(2), process.env, () => Math.floor(clock.random() * 2 ** 32));
  if (help) {
    console.log(HELP);
    return;
  }
  let failed = false;
  const show = (report: RunReport): void => console.log(json ? JSON.stringify(report) : reportText(report));
  for (const run of runs) {
    const good = run.sabotage === undefined ? await judged(run, show) : await foundOut(run, show);
    failed ||= !good;
  }
  process.exit(failed ? 1 : 0);

  async function judged(run: RunOptions, say: (report: RunReport) => void): Promise<boolean> {
    if (run.variant === 'rolling') {
      const report = await rollOnce(run, clock);
      console.log(json ? JSON.stringify(report) : rollingText(report));
      return report.ok;
    }
    const report = await runOnce(run, clock);
    say(report);
    return report.ok;
  }

  async function foundOut(run: RunOptions, say: (report: RunReport) => void): Promise<boolean> {
    let kills = 0;
    for (let i = 0; i < SABOTAGE_RUNS; i++) {
      const report = await runOnce({ ...run, seed: run.seed + i }, clock);
      kills += report.ok ? report.kills : (report.foundAfterKills ?? report.kills);
      const total: RunReport = { ...report, ...(report.ok ? {} : { foundAfterKills: kills }), kills };
      if (!report.ok || i === SABOTAGE_RUNS - 1) say(total);
      if (!report.ok) return true;
    }
    return false;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
});
