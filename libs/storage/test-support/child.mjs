// Runs this package's sources in a process of its own, which a spec can kill. Node cannot run TypeScript, and a spec needs no build,
// so the sources are compiled first, into a directory that the children of one spec share.
//
//   node child.mjs <build dir> write <state dir>    applies batch after batch, for ever; prints the offset of each once it is applied
//   node child.mjs <build dir> hold <state dir>     opens the store, prints "held", and keeps it until stdin ends
//   node child.mjs <build dir> name <state dir>     prints the name that the process goes by, and keeps it until stdin ends
//   node child.mjs <build dir> fill <state dir> <batches>    applies batches of 5,000 rows of 100 bytes; prints the growth of its memory
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LIBS = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const require = createRequire(import.meta.url);
const [buildDir, act, stateDir, count] = process.argv.slice(2);

const storage = await compiled(buildDir);
const core = await import(pathToFileURL(join(buildDir, 'core/index.js')).href);
const SCOPE = { applicationId: 'app', incarnation: 0, subTopology: 0, task: 0 };
const backend = await storage.rocksdb({ dir: stateDir, memoryBudgetBytes: 16 * 1024 * 1024, lockTimeoutMs: 10_000 }).open(1);
const store = await backend.open(SCOPE);

const acts = { write, hold, name, fill };
await acts[act]();

/** Batch n: 20 of 499 keys get the value n, and one key is deleted; see `contentAt` in the spec. */
async function write() {
  const padding = Buffer.alloc(200);
  for (let n = (store.position?.offset ?? 0) + 1; ; n++) {
    const writer = new core.RecordWriter();
    for (let j = 0; j < 20; j++) {
      const value = Buffer.concat([Buffer.alloc(8), padding]);
      value.writeDoubleBE(n);
      writer.add(0, Buffer.from(`key-${(n * 7 + j) % 499}`), value);
    }
    writer.add(0, Buffer.from(`key-${(n * 11) % 499}`), null);
    await store.apply(writer.columns, { offset: n, topicId: 'log', leaderEpoch: 0, writtenAt: n });
    writeSync(1, `${n}\n`);
  }
}

async function hold() {
  writeSync(1, 'held\n');
  for await (const _ of process.stdin) continue;
  await backend.close();
}

async function name() {
  const { instanceId, close } = await storage.rocksdb({ dir: stateDir }).instances.take('app');
  writeSync(1, `${instanceId}\n`);
  for await (const _ of process.stdin) continue;
  await close();
  await backend.close();
}

async function fill() {
  const value = Buffer.alloc(100, 0x61);
  const batch = (n) => {
    const writer = new core.RecordWriter();
    for (let j = 0; j < 5000; j++) writer.add(0, Buffer.from(`key-${(n * 5000 + j) * 7919}`), value);
    return store.apply(writer.columns, { offset: n, topicId: 'log', leaderEpoch: 0, writtenAt: n });
  };
  for (let n = 0; n < 20; n++) await batch(n);
  const before = process.memoryUsage.rss();
  for (let n = 20; n < Number(count); n++) await batch(n);
  writeSync(1, `${process.memoryUsage.rss() - before}\n`);
  await backend.close();
}

async function compiled(directory) {
  if (!existsSync(directory)) {
    const unfinished = `${directory}.${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    for (const lib of ['core', 'storage']) compileTree(join(LIBS, lib, 'src'), join(unfinished, lib));
    writeFileSync(join(unfinished, 'package.json'), '{ "type": "module" }');
    linkPackages(unfinished);
    renameSync(unfinished, directory);
  }
  return import(pathToFileURL(join(directory, 'storage/index.js')).href);
}

function compileTree(from, to) {
  const { transformFileSync } = require('@swc/core');
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) compileTree(join(from, entry.name), join(to, entry.name));
    else if (/(?<!\.spec|\.d)\.ts$/.test(entry.name)) {
      const { code } = transformFileSync(join(from, entry.name), {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
        module: { type: 'es6' },
      });
      writeFileSync(join(to, entry.name.replace(/\.ts$/, '.js')), code);
    }
  }
}

/** The packages that storage depends on; `@weir/core` is the tree beside it. */
function linkPackages(directory) {
  const { dependencies } = JSON.parse(readFileSync(join(LIBS, 'storage/package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const link = join(directory, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    if (name !== '@weir/core') symlinkSync(dirname(require.resolve(`${name}/package.json`)), link);
  }
  const core = join(directory, 'node_modules/@weir/core');
  mkdirSync(core);
  writeFileSync(join(core, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  writeFileSync(join(core, 'index.js'), "export * from '../../../core/index.js';\n");
}
