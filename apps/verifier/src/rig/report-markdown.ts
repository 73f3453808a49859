import { RULES } from '../judge/violation.js';
import type { RunOptions } from './run-options.js';
import type { RunReport } from './run-report.js';

/** A report that is kept in the repository: figures of the run, none of the machine but durations. @param when it was written */
export function reportMarkdown(options: RunOptions, report: RunReport, when: Date): string {
  const parts = [
    `# Chaos: ${report.job}, ${report.variant}`,
    conclusion(report),
    `Written ${when.toISOString().slice(0, 10)} by the rig itself; the run again: \`${command(options)}\` (seed ${report.seed}; processes never meet ` +
      'the faults in the same place twice). What each line means stands in `docs/chaos.md`.',
    table('What was done', doneRows(options, report)),
    table('What came of it', outcomeRows(report)),
    table('What it took', costRows(report)),
  ];
  const findings = report.samples.map(({ rule, detail }) => `- ${rule}: ${detail.split('\n')[0]}`);
  if (findings.length > 0) parts.push(`## Findings\n\n${findings.join('\n')}`);
  return `${parts.join('\n\n')}\n`;
}

type Row = readonly [what: string, figure: string];

function conclusion({ ok, unfinished, counts }: RunReport): string {
  if (unfinished !== undefined) return `**Unfinished: ${unfinished}.** What the judge says is lacking.`;
  if (ok) return '**Nothing was lost, nothing came twice, and nothing out of order.**';
  const broken = Object.entries(counts).map(([rule, count]) => `${RULES[rule as keyof typeof RULES]} (\`${rule}\`): broken ${count} times`);
  return `**Violated.** ${broken.join('; ')}.`;
}

function command({ job, variant, kills, brokerRestarts, proxyFaults, readings, sensors, partitions, seed }: RunOptions): string {
  const extent = `--kills ${kills} --broker-restarts ${brokerRestarts} --proxy-faults ${proxyFaults} --readings ${readings}`;
  return `npm run chaos -- --job ${job} --variant ${variant} ${extent} --sensors ${sensors} --partitions ${partitions} --seed ${seed}`;
}

function doneRows({ partitions, sensors }: RunOptions, { kills, lives, faults, readings }: RunReport): Row[] {
  return [
    ['readings, each with an id of its own', number(readings)],
    ['sensors; partitions of input and output', `${number(sensors)}; ${partitions}`],
    ['blows at replicas; lives', `${number(kills)}; ${number(lives)}`],
    ...Object.entries(faults).map(([what, count]): Row => [what, number(count)]),
  ];
}

function outcomeRows({ verdict, counts, readers, restores }: RunReport): Row[] {
  const rows: Row[] = readers.map(({ reader, topic, records, longestGapMs }) => [
    `${reader === 'java' ? "Kafka's own reader" : "Weir's reader"} of ${topic}, running from beginning to end`,
    `${number(records)} records, silent for ${(longestGapMs / 1000).toFixed(1)} s at most`,
  ]);
  rows.push(['restores of tasks; records read for them', `${number(restores.count)}; ${number(restores.records)}`]);
  if (verdict === undefined) return rows;
  const found = (...rules: readonly string[]): string => number(rules.reduce((sum, rule) => sum + (counts[rule as keyof typeof counts] ?? 0), 0));
  return [
    ['outputs that the input calls for; committed', `${number(verdict.expectedAlerts)}; ${number(verdict.alerts)}`],
    ['lost', found('alert-missing', 'count-missing')],
    ['twice', found('alert-twice', 'count-twice')],
    ['out of order', found('alert-order', 'count-order')],
    ['altered or alien', found('alert-altered', 'alert-alien', 'count-alien')],
    ['state, replayed from the changelog, that differs from the model', found('state-wrong', 'state-placement')],
    ['transactions left open, partitions whose last stable offset is not the high watermark', found('transaction-open')],
    ['records that a committed reader saw and the topic does not hold, or the other way round', found('reader-saw-uncommitted', 'readers-disagree')],
    ['committed epochs; records of the largest', `${number(verdict.epochs)}; ${number(verdict.largestEpoch)}`],
    ...rows,
  ];
}

function costRows({ seconds, flowSeconds, startMs }: RunReport): Row[] {
  return [
    ['minutes in all; of them readings flowed', `${(seconds / 60).toFixed(1)}; ${(flowSeconds / 60).toFixed(1)}`],
    ['from the start of a process to RUNNING, median', startMs === undefined ? 'none came so far' : `${(startMs / 1000).toFixed(1)} s`],
  ];
}

const table = (title: string, rows: readonly Row[]): string => `## ${title}\n\n| | |\n| --- | --- |\n${rows.map(([what, figure]) => `| ${what} | ${figure} |`).join('\n')}`;

const number = (value: number): string => value.toLocaleString('en-US');
