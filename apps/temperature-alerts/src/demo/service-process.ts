import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The service as it runs in production: a process of its own, configured by its environment. */
export interface RunningService {
  /** Where its HTTP endpoints are. */
  readonly url: string;
  /** Resolves with the reason if it ends by itself. */
  readonly failed: Promise<string>;
  /** Ends it in order, with its final checkpoint. @returns its exit code */
  stop(): Promise<number>;
}

const HTTP_LINE = /HTTP on (http:\/\/\S+?):? /;
/** Milliseconds that a stop may take; the service's own bound is below it. */
const STOP_WITHIN_MS = 12_000;

/** Starts `dist/apps/temperature-alerts/main.js`. @param say gets its log, a line at a time */
export function startService(environment: Readonly<Record<string, string>>, say: (line: string) => void): Promise<RunningService> {
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  // Of its own process group: Ctrl-C reaches the demo alone, which then ends the service in order.
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = new Promise<number>((resolve) => child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128))));
  let stopping = false;
  const failed = exited.then((code) => (stopping ? new Promise<string>(() => undefined) : `the service ended by itself with exit code ${code}`));
  const stop = async (): Promise<number> => {
    stopping = true;
    child.kill('SIGTERM');
    const timer = setTimeout(kill, STOP_WITHIN_MS);
    const code = await exited;
    clearTimeout(timer);
    process.off('exit', kill);
    return code;
  };
  return new Promise((resolve, reject) => {
    const onLine = (line: string): void => {
      const url = HTTP_LINE.exec(`${line} `)?.[1];
      if (url !== undefined) resolve({ url, failed, stop });
      say(line);
    };
    eachLine(child.stdout, onLine);
    eachLine(child.stderr, onLine);
    void failed.then((reason) => reject(new Error(reason)));
  });
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) take(line);
  });
}
