// Runs a Node program of the workspace to its end, or to a time limit. Knows what runs, so that an interrupted test run leaves nothing.
import { spawn } from 'node:child_process';
import { ROOT } from '../workspace.mjs';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * @param {readonly string[]} args the program, from the root, and its arguments
 * @param {{ limitMs: number, capture?: boolean, env?: Record<string, string> }} options
 * @returns {Promise<{ how: string, output: string }>} `ok`, or how it ended instead; its output if that was to be captured
 */
export function runTool(args, { limitMs, capture = false, env = {} }) {
  return new Promise((resolve) => {
    const pipe = capture ? 'pipe' : 'inherit';
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', pipe, pipe] });
    running.add(child);
    let output = '';
    let late = false;
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
    const limit = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, limitMs);
    /** @param {string} how */
    const end = (how) => {
      clearTimeout(limit);
      running.delete(child);
      resolve({ how: late ? `not done within ${limitMs / 60_000} minutes` : how, output: output.trim() });
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(code === 0 ? 'ok' : `ended with ${signal ?? `exit code ${code}`}`));
  });
}

/** Ends what runs. */
export function endTools() {
  for (const child of running) child.kill('SIGTERM');
}
