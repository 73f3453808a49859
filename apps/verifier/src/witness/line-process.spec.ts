import { afterEach, describe, expect, it } from '@jest/globals';
import { LineProcess } from './line-process.js';

const started: LineProcess[] = [];

function run(program: string, lines: string[] = []): LineProcess {
  const child = new LineProcess({
    command: [process.execPath, '-e', program],
    env: { PATH: process.env['PATH'] },
    onLine: (line) => lines.push(line),
  });
  started.push(child);
  return child;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((child) => child.kill()));
});

describe('a process that talks in lines', () => {
  it('is heard to its last line, and says how it ended', async () => {
    const lines: string[] = [];
    const child = run('for (let i = 0; i < 5000; i++) console.log(i); process.exitCode = 3', lines);
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(lines).toHaveLength(5_000);
    expect(child.end).toEqual({ code: 3, signal: null });
  });

  it('gets lines, in order, however many', async () => {
    const lines: string[] = [];
    const child = run(
      `let n = 0;
       const lines = require("readline").createInterface({ input: process.stdin });
       lines.on("line", (line) => { if (Number(line) === n) n++; });
       lines.on("close", () => console.log(n));`,
      lines,
    );
    for (let i = 0; i < 20_000; i++) await child.write(String(i));
    child.closeInput();
    await child.ended;
    expect(lines).toEqual(['20000']);
  });

  it('is killed, also when it does not listen, and a second time without harm', async () => {
    const child = run('process.on("SIGTERM", () => undefined); setInterval(() => undefined, 1000); console.log("up")');
    expect(child.end).toBeUndefined();
    expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' });
    await child.write('into the void');
  });

  it('leaves its last words', async () => {
    const child = run('console.error("no such thing"); process.exit(1)');
    await child.ended;
    expect(child.lastWords).toBe('no such thing');
  });

  it('that cannot be started has ended', async () => {
    const child = new LineProcess({ command: ['/no/such/program'], onLine: () => undefined });
    const end = await child.ended;
    expect(end.code).not.toBe(0);
    expect(child.lastWords).toMatch(/no\/such\/program|ENOENT/);
  });
});
