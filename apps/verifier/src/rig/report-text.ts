import { RULES } from '../judge/violation.js';
import type { RunOptions } from './run-options.js';
import type { RunReport } from './run-report.js';

/** A report as people read it. */
export function reportText(report: RunReport): string {
  const { verdict, restores } = report;
  const what = `${report.job}, ${report.sabotage === undefined ? report.variant : `sabotage ${report.sabotage} (${report.variant})`}`;
  const starts = report.startMs === undefined ? 'none came to RUNNING' : `${report.startMs} ms to RUNNING, median`;
  const lines = [
    `${what}, seed ${report.seed}: ${report.kills} blows, ${report.lives} lives, ` +
      `${report.readings} readings in ${report.flowSeconds} s; ${report.seconds} s in all`,
    `  starts:   ${starts}; ${report.deathsInspected} deaths inspected, ${report.tornTransactions} left a transaction open`,
    `  restores: ${restores.count} of tasks, ${restores.records} records; ` +
      `${restores.tails} had a tail to read at most, ${restores.tailsWithRecords} of them one with records, the largest ${restores.largestTail}`,
  ];
  const faults = Object.entries(report.faults).map(([what, count]) => `${count} ${what}`);
  if (faults.length > 0) lines.push(`  faults:   ${faults.join(', ')}`);
  const readers = report.readers.map(({ reader, topic, records, longestGapMs }) => `${reader} saw ${records} records of ${topic}, silent for ${longestGapMs} ms at most`);
  if (readers.length > 0) lines.push(`  readers:  ${readers.join('; ')}`);
  if (report.unfinished !== undefined) lines.push(`  UNFINISHED: ${report.unfinished}`);
  if (verdict !== undefined) {
    lines.push(
      `  judge:    ${verdict.alerts} alerts of ${verdict.expectedAlerts} expected, ${verdict.sensors} sensors, ` +
        `${verdict.epochs} epochs (largest ${verdict.largestEpoch} records), ${verdict.storesAudited} stores of the dead compared`,
    );
    const more = Object.entries(verdict.more).map(([name, count]) => `${count} ${name}`);
    if (more.length > 0) lines.push(`            ${more.join(', ')}`);
  }
  for (const [rule, count] of Object.entries(report.counts))
    lines.push(`  BROKEN ${count} times: ${RULES[rule as keyof typeof RULES]} (${rule})`);
  for (const { rule, detail } of report.samples) lines.push(`    ${rule}: ${detail.replaceAll('\n', '\n      ')}`);
  if (report.folder !== undefined) lines.push(`  kept:     ${report.folder}`);
  lines.push(`  ${conclusion(report)}`);
  return lines.join('\n');
}

function conclusion({ sabotage, ok, kills, foundAfterKills, unfinished }: RunReport): string {
  if (unfinished !== undefined) return 'NOT JUDGED';
  if (sabotage === undefined) return ok ? 'OK' : 'VIOLATED';
  if (ok) return `NOT FOUND in ${kills} blows`;
  return foundAfterKills === undefined ? `FOUND by the judge, after ${kills} blows` : `FOUND after ${foundAfterKills} blows`;
}

/** How far a run is, in one line. */
export function progressLine({ readings, kills, brokerRestarts }: RunOptions, report: RunReport): string {
  const restarts = (report.faults['SIGKILL of a broker'] ?? 0) + (report.faults['SIGTERM of a broker'] ?? 0);
  const brokers = brokerRestarts === 0 ? '' : `, ${restarts} of ${brokerRestarts} broker restarts`;
  const found = Object.entries(report.counts).map(([rule, count]) => `${count} times ${rule}`);
  const seen = report.readers.map(({ records }) => records).join(' and ');
  return (
    `[chaos] ${(report.seconds / 60).toFixed(1)} min: ${report.kills} of ${kills} blows${brokers}, ${report.readings} of ${readings} readings, ` +
    `readers saw ${seen} records; ${found.length === 0 ? 'nothing was found' : `FOUND ${found.join(', ')}`}`
  );
}
