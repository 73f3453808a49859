import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder of the repository: this file lies at different depths in sources and in the build. */
export const PROJECT_ROOT: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { name } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { readonly name?: string };
      if (name === 'weir') return at;
    } catch {
      // No package here.
    }
    if (at === dirname(at)) throw new Error(`no package called weir in any folder above ${folder}`);
  }
}

/** Imports a module of the repository by its path below the root: scripts and other apps, which are no dependencies. */
export const importFromRoot = async <T>(path: string): Promise<T> => (await import(pathToFileURL(join(PROJECT_ROOT, path)).href)) as T;
