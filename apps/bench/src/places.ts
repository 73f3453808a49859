import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository: three levels up, both from the sources and from where the build puts them. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** What is fetched once, and what runs leave behind; not under version control. */
export const CACHE_DIR = join(ROOT, '.weir');
export const RUNS_DIR = join(CACHE_DIR, 'bench');
