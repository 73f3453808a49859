import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Violations } from '../judge/violation.js';

/** RocksDB writes this file when it makes a database, and never again: the same text means the same database. */
const IDENTITY = 'IDENTITY';

/** Knows each store of a state directory by its identity: whatever the service says, a store that was made anew has another one. */
export class StoreIdentities {
  #known = new Map<string, string>();

  constructor(
    private readonly stateDir: string,
    private readonly violations: Violations,
  ) {}

  get count(): number {
    return this.#known.size;
  }

  /**
   * Looks while nobody runs.
   * @param when in words
   * @param restored whether the dead one had come to RUNNING: a store that was made and holds nothing yet may be made anew
   */
  async check(when: string, restored: boolean): Promise<void> {
    const found = await identitiesBelow(this.stateDir);
    for (const [store, identity] of this.#known) {
      if (found.get(store) !== identity)
        this.violations.add('store-wiped', `${when}: the database in ${store} was ${found.has(store) ? 'made anew' : 'removed'}`);
    }
    if (restored) this.#known = found;
  }

  /** The state directory was deleted by the rig. */
  forget(): void {
    this.#known = new Map();
  }
}

async function identitiesBelow(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(dir, { recursive: true }).catch((): string[] => []);
  for (const entry of [...entries].sort()) {
    if (!entry.endsWith(IDENTITY)) continue;
    const text = await readFile(join(dir, entry), 'utf8').catch(() => '');
    // A process that died while it made the database may leave the file empty.
    if (text.trim() !== '') found.set(entry.slice(0, -IDENTITY.length - 1), text.trim());
  }
  return found;
}
