import { type BenchOptions, OptionError, optionsFrom, USAGE } from './options.js';
import { runChild } from './run/child-main.js';
import { RunFailedError } from './run/child-process.js';

/** `node main.js [command] [options]`, with KAFKA_BROKERS set where a broker is needed; `node main.js child <task>` is what it starts itself for a run. */
async function main(args: readonly string[]): Promise<void> {
  if (args[0] === 'child') return runChild(args[1] ?? '');
  if (args.includes('--help')) {
    console.log(USAGE);
    return;
  }
  // The processes of runs end with this one (see child-process.ts), which a signal would end without a word.
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  const options = optionsFrom(args);
  if (!(await run(options))) {
    console.error('At least one run was wrong, or took more than it may.');
    process.exitCode = 1;
  }
}

async function run(options: BenchOptions): Promise<boolean> {
  switch (options.command) {
    case 'compare':
      return (await import('./study/compare.js')).compare(options, brokers());
    case 'latency':
      return (await import('./study/latency.js')).latencyStudy(options, brokers());
    case 'parallelism':
      return (await import('./study/parallelism.js')).parallelismStudy(options, brokers());
    case 'pressure':
      return (await import('./pressure/pressure.js')).pressureStudy(options, brokers());
    case 'profile':
      return (await import('./study/profile.js')).profile(options, brokers());
    case 'memory':
      return (await import('./memory/memory.js')).memoryStudy(options);
    case 'states':
      return (await import('./states/states.js')).statesStudy(options);
    case 'micro':
      return (await import('./micro/micro.js')).micro(options);
  }
}

function brokers(): readonly string[] {
  const given = (process.env['KAFKA_BROKERS'] ?? '').split(',').map((broker) => broker.trim()).filter((broker) => broker !== '');
  if (given.length === 0) throw new OptionError('KAFKA_BROKERS is not set. Run `npm run bench`, which starts a broker.');
  return given;
}

main(process.argv.slice(2)).catch((thrown: unknown) => {
  if (thrown instanceof OptionError) console.error(`${thrown.message}\n\n${USAGE}`);
  else console.error(thrown instanceof RunFailedError ? thrown.message : thrown);
  process.exit(1);
});
