// A child that gets a signal when its parent ends, however that ends: by the system itself, where it can be asked to (Linux, setpriv of
// util-linux). Elsewhere the child is on its own if its parent is killed.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * @param {string} name
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {Promise<string | undefined>} the first file on PATH that can be run under this name
 */
export async function onPath(name, env) {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    if (await access(file, constants.X_OK).then(() => true, () => false)) return file;
  }
  return undefined;
}

/**
 * @param {'TERM' | 'KILL'} signal
 * @param {readonly [string, ...string[]]} command
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {Promise<readonly [string, ...string[]]>} the command to start instead; it keeps its process id
 */
export async function diesWithParent(signal, command, env) {
  const setpriv = process.platform === 'linux' ? await onPath('setpriv', env) : undefined;
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', signal, ...command];
}
