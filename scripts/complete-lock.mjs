// Completes package-lock.json after `npm install` on a machine whose registry has packages for its own platform only.
//
// npm writes what it could resolve; a binary for another platform that it could not see is left out, and then `npm ci` refuses the lock
// file everywhere, since the package that wants the binary names it. This adds what is missing: the version that is wanted, and the platform
// that the name tells. Without an integrity hash, which the registry of whoever needs it supplies.
//
//   node scripts/complete-lock.mjs            completes the file, and says what it added
//   node scripts/complete-lock.mjs --check    exits 1 if anything is missing
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const LOCK = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const SYSTEMS = ['android', 'darwin', 'freebsd', 'openharmony', 'win32', 'linux'];
const PROCESSORS = ['wasm32', 'arm64', 'arm', 'ia32', 'x64', 'ppc64', 's390x', 'riscv64', 'loong64'];

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[], libc?: string[],
 *   optionalDependencies?: Record<string, string> }} Entry
 */

/**
 * Entries that are wanted and not there, by their place in the lock file.
 * @param {Readonly<Record<string, Entry>>} packages
 * @returns {Record<string, Entry>}
 */
export function missingFrom(packages) {
  /** @type {Record<string, Entry>} */
  const missing = {};
  for (const [at, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const place = `node_modules/${name}`;
      if (packages[place] !== undefined || packages[`${at}/${place}`] !== undefined || !/^\d+\.\d+\.\d+/.test(version)) continue;
      const os = SYSTEMS.filter((system) => name.includes(system));
      const cpu = PROCESSORS.filter((processor) => name.includes(processor)).slice(0, 1);
      const libc = !os.includes('linux') ? [] : name.includes('musl') ? ['musl'] : name.includes('gnu') ? ['glibc'] : [];
      missing[place] = {
        version,
        ...(dev === true ? { dev } : {}),
        optional: true,
        ...(cpu.length > 0 ? { cpu } : {}),
        ...(os.length > 0 ? { os } : {}),
        ...(libc.length > 0 ? { libc } : {}),
      };
    }
  }
  return missing;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(await readFile(LOCK, 'utf8'));
  const missing = missingFrom(lock.packages);
  const places = Object.keys(missing);
  if (process.argv.includes('--check')) {
    if (places.length > 0) console.error(`package-lock.json lacks ${places.join(', ')}. Run: node scripts/complete-lock.mjs`);
    process.exitCode = places.length > 0 ? 1 : 0;
  } else {
    const packages = { ...lock.packages, ...missing };
    lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
    await writeFile(LOCK, `${JSON.stringify(lock, null, 2)}\n`);
    console.log(places.length === 0 ? 'package-lock.json is complete.' : `Added ${places.join(', ')}.`);
  }
}
