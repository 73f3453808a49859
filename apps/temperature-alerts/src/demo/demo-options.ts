/** What `npm run demo -- ...` was asked for. */
export interface DemoOptions {
  /** Ends by itself after so many seconds; undefined runs until it is ended. */
  readonly seconds: number | undefined;
  /** No Kafka: log, service and feed in this process. */
  readonly embedded: boolean;
}

const USAGE = 'npm run demo [-- [--seconds N] [--embedded]]';

/** @throws Error that says what came and how it is used */
export function demoOptions(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): DemoOptions {
  let seconds: number | undefined;
  let embedded = environment['WEIR_EMBEDDED'] === '1';
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--embedded') embedded = true;
    else if (arg === '--seconds') seconds = wholeSeconds(args[++i]);
    else if (arg.startsWith('--seconds=')) seconds = wholeSeconds(arg.slice('--seconds='.length));
    else throw new Error(`Unknown option ${arg}. Usage: ${USAGE}`);
  }
  return { seconds, embedded };
}

function wholeSeconds(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`--seconds takes a whole number from 1 to 999999, and ${text === undefined ? 'nothing' : text} came. Usage: ${USAGE}`);
}
