// The workspace's shape, read from package.json files, tsconfig references and every import in the sources. Lint says the same
// while one writes, file by file; here the whole is looked at, with imports that lint does not see (`import()`, `require`).
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOMES = { kafkajs: 'libs/kafka/src/wire/kafkajs-wire.ts', '@nxtedition/rocksdb': 'libs/storage/src/rocksdb/rocksdb-binding.ts' };
/** The micro benchmarks measure parts that no index exports. */
const LOOKS_INSIDE = 'apps/bench/src/micro/insides.ts';
const BARRELS = /^libs\/[a-z]+\/src\/index\.ts$|^libs\/testing\/src\/conformance\/index\.ts$/;

/**
 * @typedef {Partial<Record<'dependencies' | 'peerDependencies' | 'devDependencies', Record<string, string>>> & { name: string }} Manifest
 * @typedef {{ folder: string, manifest: Manifest, isLib: boolean, files: SourceFile[] }} Package
 * @typedef {{ path: string, isSpec: boolean, text: string, imports: string[] }} SourceFile
 */

/** @param {string} path */
const read = (path) => readFileSync(join(ROOT, path), 'utf8');
/** @param {string} path */
const readJson = (path) => JSON.parse(read(path));

/** @param {string} folder */
function sources(folder) {
  return readdirSync(join(ROOT, folder, 'src'), { recursive: true })
    .map((name) => `${folder}/src/${String(name).split(sep).join('/')}`)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const text = read(path);
      const imports = ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
      return { path, isSpec: /\.spec(-d)?\.ts$/.test(path), text, imports };
    });
}

/** @param {'libs' | 'apps'} kind */
const packages = (kind) =>
  readdirSync(join(ROOT, kind))
    .filter((name) => existsSync(join(ROOT, kind, name, 'package.json')))
    .map((name) => `${kind}/${name}`)
    .map((folder) => ({ folder, manifest: readJson(`${folder}/package.json`), isLib: kind === 'libs', files: sources(folder) }));

/** @type {Package[]} */
const ALL = [...packages('libs'), ...packages('apps')];
const ROOT_MANIFEST = /** @type {Manifest} */ (readJson('package.json'));

/** @param {string} specifier */
const packageOf = (specifier) => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
/** @param {string} specifier */
const isBare = (specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:') && !builtinModules.includes(specifier);
/** @param {Manifest} manifest */
const workspaceOf = (manifest) =>
  Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((name) => name.startsWith('@weir/'));

/**
 * @param {(file: SourceFile, of: Package) => string[]} judge
 */
function offences(judge) {
  return ALL.flatMap((of) => of.files.flatMap((file) => judge(file, of).map((offence) => `${file.path}: ${offence}`)));
}

describe('packages', () => {
  it('are found', () => {
    assert.ok(ALL.length >= 6, 'the workspace has at least five libs and an app');
    assert.ok(ALL.every((one) => one.files.length > 0));
  });

  it('of libs/ depend on core alone, and core on none', () => {
    const depends = ALL.filter((one) => one.isLib).map((one) => [one.manifest.name, workspaceOf(one.manifest)]);
    for (const [name, on] of depends) assert.deepEqual(on, name === '@weir/core' ? [] : ['@weir/core'], `dependencies of ${name}`);
  });

  it('reference in tsconfig.json the libs that package.json depends on, and no others', () => {
    for (const { folder, manifest } of ALL) {
      const references = ts.parseConfigFileTextToJson('tsconfig.json', read(`${folder}/tsconfig.json`)).config.references ?? [];
      /** @type {string[]} an app may measure or drive another, which is then built before it */
      const paths = references.map((/** @type {{ path: string }} */ { path }) => relative(ROOT, resolve(ROOT, folder, path)));
      const names = paths.filter((path) => path.startsWith('libs')).map((path) => `@weir/${basename(path)}`);
      assert.deepEqual(names.sort(), workspaceOf(manifest).sort(), `references of ${folder}/tsconfig.json`);
    }
  });

  it('declare every package that their sources import; specs may also use the root\'s development dependencies', () => {
    const found = offences((file, { manifest }) => {
      const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...(file.isSpec ? { ...manifest.devDependencies } : {}) };
      const forSpecs = file.isSpec ? { ...ROOT_MANIFEST.devDependencies, '@weir/testing': '*' } : {};
      return file.imports
        .filter(isBare)
        .map(packageOf)
        .filter((name) => !(name in declared) && !(name in forSpecs) && name !== manifest.name)
        .map((name) => `imports ${name}, which ${manifest.name} does not declare`);
    });
    assert.deepEqual(found, []);
  });
});

describe('imports', () => {
  it('of a lib name no package of the workspace but core; its specs may name the test kit', () => {
    const found = offences((file, { isLib, manifest }) => {
      const allowed = ['@weir/core', ...(file.isSpec ? ['@weir/testing', manifest.name] : [])];
      if (!isLib) return [];
      return file.imports.filter((one) => one.startsWith('@weir/') && !allowed.includes(packageOf(one))).map((one) => `imports ${one}`);
    });
    assert.deepEqual(found, []);
  });

  it('of core\'s sources name nothing but core\'s files and node:buffer', () => {
    const found = offences((file, { folder }) =>
      folder !== 'libs/core' || file.isSpec ? [] : file.imports.filter((one) => !one.startsWith('.') && one !== 'node:buffer'),
    );
    assert.deepEqual(found, []);
  });

  it('by path stay inside their package and exist; specs may reach scripts/', () => {
    const found = offences((file, { folder }) =>
      file.imports
        .filter((one) => one.startsWith('.') && file.path !== LOOKS_INSIDE)
        .filter((one) => {
          const target = resolve(ROOT, dirname(file.path), one);
          const inside = relative(join(ROOT, folder, 'src'), target);
          if (file.isSpec && relative(join(ROOT, 'scripts'), target).startsWith('..') === false) return !existsSync(target);
          return inside.startsWith('..') || !existsSync(target.replace(/\.js$/, '.ts'));
        })
        .map((one) => `imports ${one}`),
    );
    assert.deepEqual(found, []);
  });

  for (const [name, home] of Object.entries(HOMES)) {
    it(`of ${name} stand in ${home} alone`, () => {
      const called = new RegExp(`(require|import)\\w*\\(['"]${name}`);
      const found = offences((file) => {
        const knows = file.imports.some((one) => packageOf(one) === name) || called.test(file.text);
        return knows && !file.isSpec && file.path !== home ? [`knows ${name}`] : [];
      });
      assert.deepEqual(found, []);
    });
  }
});

describe('files', () => {
  it('called index.ts are the doors of a lib', () => {
    assert.deepEqual(offences((file) => (basename(file.path) === 'index.ts' && !BARRELS.test(file.path) ? ['an inner barrel'] : [])), []);
  });

  it('and classes have a name that says what they are', () => {
    const vague = /(^|[-_.])(common|utils?|helpers?|manager|misc)([-_.]|$)/i;
    const found = offences((file) => [
      ...file.path.split('/').filter((part) => vague.test(part)).map((part) => `is called ${part}`),
      ...(file.text.match(/\b(?:class|interface) \w*(?:Manager|Helpers?|Utils?)\b/g) ?? []),
    ]);
    assert.deepEqual(found, []);
  });

  it('leave nothing for later', () => {
    assert.deepEqual(offences((file) => file.text.match(/\b(?:TODO|FIXME|XXX)\b/g) ?? []), []);
  });
});

describe('Kafka', () => {
  it('is of one version in the local broker and in compose', () => {
    const maven = /<kafka\.version>([^<]+)</.exec(read('docker/local-broker/pom.xml'))?.[1];
    const image = /image: apache\/kafka:(\S+)/.exec(read('docker/compose.yaml'))?.[1];
    assert.ok(maven !== undefined && image === maven, `pom.xml says ${maven}, compose.yaml says ${image}`);
  });

  it('is set up alike there, but for addresses, folders and sizes', () => {
    const settings = read('docker/compose.yaml').matchAll(/^ {6}KAFKA_(\w+): '?([^'\n]*)'?$/gm);
    const compose = new Map([...settings].map(([, key, value]) => [key, value]));
    const local = [...read('docker/local-broker/server.properties').matchAll(/^([a-z.]+)=(.*)$/gm)];
    const shared = local.map(([, key, value]) => ({ key, value, other: compose.get(String(key).toUpperCase().replaceAll('.', '_')) }));
    const both = shared.filter(({ key, other }) => other !== undefined && !/listener/.test(String(key)));
    assert.ok(both.length > 15, 'few settings are in both files');
    assert.deepEqual(both.filter(({ value, other }) => value !== other), []);
  });
});
