// A lint rule that reports nothing looks like one that is kept. So each is broken here once, in the place that it guards, and has to
// be reported; and what a place is allowed is written there too, and must pass. The snippets are linted under the path of a file
// that exists (the rules that need types know no others); nothing is written.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

process.env['TSESTREE_SINGLE_RUN'] = 'false'; // else the files' own text would be linted, not the snippets
const { ESLint } = await import('eslint');
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const CORE = 'libs/core/src/index.ts';
const KAFKA = 'libs/kafka/src/index.ts';
const STORAGE = 'libs/storage/src/index.ts';
const NEST = 'libs/nest/src/index.ts';
const TESTING = 'libs/testing/src/index.ts';
const CONFORMANCE = 'libs/testing/src/conformance/index.ts';
const APP = 'apps/temperature-alerts/src/main.ts';
const KAFKAJS_HOME = 'libs/kafka/src/wire/kafkajs-wire.ts';
const ROCKSDB_HOME = 'libs/storage/src/rocksdb/rocksdb-binding.ts';
const SCRIPT = 'scripts/broker.mjs';
const SPEC = specIn('libs/testing/src');
const STORAGE_SPEC = specIn('libs/storage/src');
const DECISION = 'libs/core/src/restart/restart-strategy.ts';

const CLOCK = /`Clock` port/;
const ONE_LONG = `function f() {\n${'  f();\n'.repeat(71)}}\nf();\n`;

/** @type {[habit: string, file: string, code: string, rule: string, message?: RegExp][]} */
const BROKEN = [
  ['no any', KAFKA, 'export const f = (x: any): string => String(x);', '@typescript-eslint/no-explicit-any'],
  ['no floating promise', KAFKA, 'async function f(): Promise<void> {}\nf();', '@typescript-eslint/no-floating-promises'],
  ['no promise where a boolean is wanted', KAFKA, 'export const f = async (): Promise<boolean> => true;\nif (f()) void 0;',
    '@typescript-eslint/no-misused-promises'],
  ['types are imported as types', KAFKA, "import { TopicPartition } from '@weir/core';\nexport type T = TopicPartition;",
    '@typescript-eslint/consistent-type-imports'],
  ['a switch covers its union', KAFKA, "export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n  }\n}",
    '@typescript-eslint/switch-exhaustiveness-check'],
  ['no console in a lib', TESTING, "console.log('x');", 'no-console'],
  ['no default export', CORE, 'export default 1;', 'no-restricted-exports'],
  ['no default export in a script', SCRIPT, 'export default 1;', 'no-restricted-exports'],
  ['no undefined name in a script', SCRIPT, 'nothing();', 'no-undef'],
  ['files stop at 500 lines', CORE, `export const x = 1;\n${'//\n'.repeat(500)}`, 'max-lines'],
  ['specs stop at 500 lines too', SPEC, `export const x = 1;\n${'//\n'.repeat(500)}`, 'max-lines'],
  ['functions stay under 70 lines', CORE, ONE_LONG, 'max-lines-per-function'],
  ['decisions are not async', DECISION, 'export async function f(): Promise<void> {}', 'no-restricted-syntax', /decide/],
  ['decisions make no promise', DECISION, 'export const p = new Promise<void>(() => undefined);',
    'no-restricted-syntax', /decide/],
  ['no skipped spec', SPEC, "import { it } from '@jest/globals';\nit.skip('x', () => undefined);", 'no-restricted-syntax', /skipped/],
  ['no lone spec', SPEC, "import { describe } from '@jest/globals';\ndescribe.only('x', () => undefined);",
    'no-restricted-syntax', /skipped/],

  ...['setTimeout(f, 1)', 'setInterval(f, 1)', 'setImmediate(f)', 'clearTimeout(1)', 'clearInterval(1)', 'clearImmediate(f as never)',
    'performance.now()', 'Date.now()', 'new Date()', 'crypto.randomUUID()', 'process.cwd()', "console.log('')", "fetch('')",
    'globalThis.setTimeout(f, 1)', 'globalThis.Date.now()',
  ].map((use) => /** @type {[string, string, string, string, RegExp]} */ (
    [`core does not call ${use}`, CORE, `export const f = (): void => undefined;\nvoid ${use};`, 'no-restricted-globals', CLOCK])),
  ['core does not call Math.random', CORE, 'export const x = Math.random();', 'no-restricted-properties', CLOCK],
  ['an adapter starts no timer', STORAGE, 'setTimeout(() => undefined, 1);', 'no-restricted-globals', CLOCK],
  ['an adapter does not read the time', KAFKA, 'export const x = Date.now();', 'no-restricted-properties', CLOCK],
  ['an adapter does not make the time', KAFKA, 'export const x = new Date();', 'no-restricted-syntax', CLOCK],
  ['an adapter imports no timers', NEST, "import { setTimeout } from 'node:timers/promises';\nvoid setTimeout(1);",
    'no-restricted-imports', CLOCK],

  ['core knows no Nest', CORE, "export { Module } from '@nestjs/common';", 'no-restricted-imports', /Nest/],
  ['core knows no Kafka client', CORE, "export { Kafka } from 'kafkajs';", 'no-restricted-imports', /kafkajs/],
  ['core knows no RocksDB', CORE, "export { RocksLevel } from '@nxtedition/rocksdb';", 'no-restricted-imports', /RocksDB/],
  ['core knows no file', CORE, "export { readFile } from 'node:fs/promises';", 'no-restricted-imports', /node:buffer alone/],
  ['core knows no file by its old name', CORE, "export { readFile } from 'fs/promises';", 'no-restricted-imports', /node:buffer alone/],
  ['core knows no adapter', CORE, "export { kafka } from '@weir/kafka';", 'no-restricted-imports', /a port/],
  ['storage does not know kafka', STORAGE, "export { kafka } from '@weir/kafka';", 'no-restricted-imports', /adapters/],
  ['kafka does not know storage, types included', KAFKA, "export type { rocksdb } from '@weir/storage';",
    'no-restricted-imports', /adapters/],
  ['nest does not know kafka', NEST, "export { kafka } from '@weir/kafka';", 'no-restricted-imports', /adapters/],
  ['testing does not know storage', TESTING, "export { memory } from '@weir/storage';", 'no-restricted-imports', /adapters/],
  ['conformance suites know no adapter', CONFORMANCE, "export { memory } from '@weir/storage';", 'no-restricted-imports', /adapters/],
  ['kafka knows no Nest', KAFKA, "export { Module } from '@nestjs/common';", 'no-restricted-imports', /Nest/],
  ['kafkajs stays at home', KAFKA, "export { Kafka } from 'kafkajs';", 'no-restricted-imports', /Wire port/],
  ['kafkajs stays at home, its insides too', KAFKA, "export { x } from 'kafkajs/src/cluster/index.js';",
    'no-restricted-imports', /Wire/],
  ['an app does not take kafkajs', APP, "export { Kafka } from 'kafkajs';", 'no-restricted-imports', /Wire port/],
  ['RocksDB stays at home', STORAGE, "export { RocksLevel } from '@nxtedition/rocksdb';", 'no-restricted-imports', /one file|alone/],
  ['kafkajs home takes no RocksDB', KAFKAJS_HOME, "export { RocksLevel } from '@nxtedition/rocksdb';", 'no-restricted-imports'],
  ['RocksDB home takes no kafkajs', ROCKSDB_HOME, "export { Kafka } from 'kafkajs';", 'no-restricted-imports'],
  ['no inner barrel', KAFKA, "export { x } from './wire/index.js';", 'no-restricted-imports', /barrel/],
  ['no way back through the barrel', KAFKAJS_HOME, "export { x } from '../index.js';", 'no-restricted-imports', /barrel/],
  ['no insides of a lib', APP, "export { x } from '@weir/core/dist/task/task.js';", 'no-restricted-imports', /by its name/],
  ['no path into a neighbour', KAFKA, "export { x } from '../../core/src/task/task.js';", 'no-restricted-imports', /by its name/],
  ['no path into a lib from an app', APP, "export { x } from '../../../libs/core/src/task/task.js';", 'no-restricted-imports', /name/],
];

/** @type {[freedom: string, file: string, code: string, rule: string][]} */
const ALLOWED = [
  ['core takes node:buffer', CORE, "export { isUtf8 } from 'node:buffer';", 'no-restricted-imports'],
  ['core takes globalThis as a value', CORE, 'export const x: object = globalThis;', 'no-restricted-globals'],
  ['an adapter takes @weir/core', KAFKA, "export { sleep } from '@weir/core';", 'no-restricted-imports'],
  ['nest takes Nest', NEST, "export { Module } from '@nestjs/common';", 'no-restricted-imports'],
  ['kafkajs at home', KAFKAJS_HOME, "export { Kafka } from 'kafkajs';", 'no-restricted-imports'],
  ['RocksDB at home', ROCKSDB_HOME, "export { RocksLevel } from '@nxtedition/rocksdb';", 'no-restricted-imports'],
  ['an app joins adapters', APP, "export { kafka } from '@weir/kafka';\nexport { rocksdb } from '@weir/storage';", 'no-restricted-imports'],
  ['an app prints', APP, "console.log('');", 'no-console'],
  ['conformance suites are a door of their own', APP, "export { x } from '@weir/testing/conformance';", 'no-restricted-imports'],
  ['a spec takes the test kit', STORAGE_SPEC, "export { ManualClock } from '@weir/testing';", 'no-restricted-imports'],
  ['a spec is as long as a suite', SPEC, ONE_LONG, 'max-lines-per-function'],
  ['Nest code imports an injected class as a value', NEST, "import { Logger } from '@nestjs/common';\nexport type L = Logger;",
    '@typescript-eslint/consistent-type-imports'],
  ['decisions elsewhere may be async', CORE, 'export async function f(): Promise<void> {}', 'no-restricted-syntax'],
];

/** @type {import('eslint').ESLint} */
let eslint;
before(() => {
  eslint = new ESLint({ cwd: ROOT });
});

/**
 * @param {string} file
 * @param {string} code
 */
async function reported(file, code) {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: join(ROOT, file) });
  const messages = result?.messages ?? [];
  const fatal = messages.find((message) => message.fatal === true || message.ruleId === null);
  assert.equal(fatal, undefined, `the snippet itself cannot be linted: ${fatal?.message}`);
  return messages;
}

describe('lint reports', () => {
  for (const [habit, file, code, rule, message = /./] of BROKEN) {
    it(habit, async () => {
      const messages = await reported(file, code);
      const hit = messages.some((one) => one.ruleId === rule && message.test(one.message));
      const others = JSON.stringify(messages.map((one) => [one.ruleId, one.message]));
      assert.ok(hit, `${rule} reported nothing of ${message} in ${file}; reported: ${others}`);
    });
  }
});

describe('lint allows', () => {
  for (const [freedom, file, code, rule] of ALLOWED) {
    it(freedom, async () => {
      const messages = (await reported(file, code)).filter((one) => one.ruleId === rule);
      assert.deepEqual(messages.map((one) => one.message), []);
    });
  }
});

/**
 * @param {string} folder
 * @returns {string} the path of some spec there
 */
function specIn(folder) {
  const name = readdirSync(join(ROOT, folder), { recursive: true }).map(String).find((path) => path.endsWith('.spec.ts'));
  assert.ok(name !== undefined, `there is no spec in ${folder}`);
  return `${folder}/${name}`;
}
