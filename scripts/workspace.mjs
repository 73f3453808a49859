// A clone made ready to run: its packages installed as the lock file says, its sources built. Each does nothing if that is so.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { step } from './progress.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** @typedef {import('./progress.mjs').Say} Say */
/** @typedef {Record<string, { version?: string, link?: boolean, optional?: boolean }>} Packages */

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @returns {Promise<{ code: number, output: string }>} what it printed and how it ended; 127 if it could not be started
 */
function run(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => resolve({ code: 127, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * npm ci, if a package that the lock file wants is missing or of another version. Packages of other platforms are not wanted here.
 * @param {Say} say
 * @throws Error if npm fails
 */
export async function ensureInstalled(say) {
  const [wanted, installed] = await Promise.all([packagesIn('package-lock.json'), packagesIn('node_modules/.package-lock.json')]);
  const differs = Object.entries(wanted).some(
    ([path, one]) => path.startsWith('node_modules/') && one.optional !== true && one.version !== installed[path]?.version,
  );
  if (!differs) return;
  const npm = process.env['npm_execpath'];
  await step(say, 'installing packages (npm ci)', async () => {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, output } = npm?.endsWith('.js') ? await run(process.execPath, [npm, ...args]) : await run('npm', args);
    if (code !== 0) throw new Error(`npm ci failed:\n${output}`);
  });
}

/**
 * @param {string} lock
 * @returns {Promise<Packages>} none if there is no such file
 */
async function packagesIn(lock) {
  const text = await readFile(join(ROOT, lock), 'utf8').catch(() => '{}');
  return JSON.parse(text).packages ?? {};
}

/**
 * `tsc -b`: rebuilds what is older than its sources; when nothing is, that takes a second.
 * @param {Say} say
 * @throws Error with the compiler's words if it fails
 */
export async function ensureBuilt(say) {
  await step(say, 'building (tsc -b)', async () => {
    const { code, output } = await run(process.execPath, [TSC, '-b']);
    if (code !== 0) throw new Error(`the build failed:\n${output}`);
  });
}
