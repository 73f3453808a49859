import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory and those above it. Node's own recursive form never ends where a directory that is there refuses entries
 * with ENOENT, as /proc does.
 */
export async function makeDirectory(path: string): Promise<void> {
  const failed = await mkdir(path).then(
    () => undefined,
    (cause: NodeJS.ErrnoException) => cause,
  );
  if (failed === undefined || failed.code === 'EEXIST') return;
  if (failed.code !== 'ENOENT' || dirname(path) === path) throw failed;
  await makeDirectory(dirname(path));
  await mkdir(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause;
  });
}
