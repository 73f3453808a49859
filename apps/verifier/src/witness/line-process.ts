import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Bytes of what a process said on its error output that are kept. */
const LAST_WORDS = 4_000;

export interface LineProcessOptions {
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onLine: (line: string) => void;
  /** Lines of its error output, too. */
  readonly onErrorLine?: (line: string) => void;
}

/**
 * A child process that talks in lines. Where the system can do so (`setpriv`), it ends with the process that started it, however that
 * ends; so a rig that is killed leaves nothing behind.
 */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<ProcessEnd>;
  #end: ProcessEnd | undefined;
  #lastWords = '';

  constructor({ command, env, onLine, onErrorLine }: LineProcessOptions) {
    const [file, ...args] = withPatron(command);
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...(env ?? process.env) } });
    this.#child.stdin!.on('error', () => undefined); // it is gone; `ended` tells
    createInterface({ input: this.#child.stdout! }).on('line', onLine);
    createInterface({ input: this.#child.stderr! }).on('line', (line) => {
      this.#lastWords = `${this.#lastWords}${line}\n`.slice(-LAST_WORDS);
      onErrorLine?.(line);
    });
    this.ended = new Promise((resolve) => {
      const end = (found: ProcessEnd): void => {
        this.#end ??= found;
        resolve(this.#end);
      };
      this.#child.once('error', (error) => {
        this.#lastWords += error.message;
        end({ code: null, signal: null });
      });
      // `close`, not `exit`: every line it wrote has been read by then.
      this.#child.once('close', (code, signal) => end({ code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  /** What it wrote last to its error output. */
  get lastWords(): string {
    return this.#lastWords.trim();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Writes a line to its input; resolves once there is room for the next. */
  async write(line: string): Promise<void> {
    if (this.#end !== undefined || this.#child.stdin!.destroyed) return;
    if (!this.#child.stdin!.write(`${line}\n`)) await Promise.race([once(this.#child.stdin!, 'drain').catch(() => undefined), this.ended]);
  }

  closeInput(): void {
    this.#child.stdin!.end();
  }

  /** Ends it at once, if it runs, and waits for its end. */
  async kill(): Promise<ProcessEnd> {
    if (this.#end === undefined) this.#child.kill('SIGKILL');
    return this.ended;
  }
}

let setpriv: string | false | undefined;

/** `setpriv` becomes the command itself, so the process has the same id. */
function withPatron(command: readonly [string, ...string[]]): [string, ...string[]] {
  setpriv ??= process.platform === 'linux' && onPath('setpriv');
  return setpriv === false ? [...command] : [setpriv, '--pdeathsig', 'KILL', ...command];
}

function onPath(name: string): string | false {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here.
    }
  }
  return false;
}
