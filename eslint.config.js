// The habits that a machine can keep. scripts/checks/lint-rules.check.mjs breaks each rule once, and sees it reported.
import { builtinModules } from 'node:module';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const SPECS = ['**/*.spec.ts', '**/*.spec-d.ts'];
const LIBS = 'libs/*/src/**/*.ts';
/** Jest is driven through describe and it: their callbacks are as long as a suite. */
const SUITES = [...SPECS, 'libs/testing/src/conformance/**/*.ts'];
/** The one file that knows kafkajs, and the one that knows RocksDB's binding. */
const KAFKAJS_HOME = 'libs/kafka/src/wire/kafkajs-wire.ts';
const ROCKSDB_HOME = 'libs/storage/src/rocksdb/rocksdb-binding.ts';
const MANUAL_CLOCK = 'libs/testing/src/manual-clock.ts';

// --- Imports point one way -------------------------------------------------------------------------------------------

/** @typedef {{ regex: string, message: string }} Ban */

/** @type {Record<string, Ban>} */
const BANS = {
  innerBarrel: {
    regex: '^\\.{1,2}/(.*/)?index\\.js$',
    message: 'No inner barrels: import the file that has it. One index.ts per lib, for other packages.',
  },
  insides: {
    regex: '^@weir/[^/]+/(?!conformance$)',
    message: 'Import a lib by its name alone; what its index.ts does not export is its own.',
  },
  neighbours: { regex: '^(\\.\\./)+(libs|apps|[^/.]+/src)/', message: 'Import another package by its name, not by its path.' },
  kafkajs: { regex: '^kafkajs(/|$)', message: `kafkajs is known to ${KAFKAJS_HOME} alone. Go through the Wire port.` },
  rocksdb: {
    regex: '^(@nxtedition/rocksdb|rocksdb|level-rocksdb|classic-level)(/|$)',
    message: `RocksDB's binding is known to one file alone: ${ROCKSDB_HOME}.`,
  },
  nest: { regex: '^@nestjs/', message: 'Only libs/nest and the apps know Nest.' },
  weirInCore: { regex: '^@weir/', message: 'libs/core imports no other package of Weir: what it needs of them is a port.' },
  nodeInCore: {
    regex: '^node:(?!buffer$)',
    message: 'libs/core is pure: of node:* it may import node:buffer alone. Take the rest as a port.',
  },
  bareNodeInCore: {
    regex: `^(${builtinModules.filter((name) => !/^_|:|\/|^buffer$/.test(name)).join('|')})(/|$)`,
    message: 'libs/core is pure: of Node it may import node:buffer alone. Take the rest as a port.',
  },
  adapters: {
    regex: '^@weir/(?!core$)',
    message: 'Of the workspace a lib may import @weir/core alone: adapters do not know each other, an app joins them.',
  },
  nodeTimers: { regex: '^(node:)?(timers|perf_hooks)(/|$)', message: 'Time and timers come from the `Clock` port of @weir/core.' },
};
const ANYWHERE = /** @type {const} */ (['innerBarrel', 'insides', 'neighbours']);

/** @param {readonly string[]} bans */
const imports = (...bans) => ({ 'no-restricted-imports': ['error', { patterns: [...ANYWHERE, ...bans].map((ban) => BANS[ban]) }] });

// --- Time, timers, randomness and ids come from the Clock ----------------------------------------------------------------

/** @param {string} use */
const clock = (use) =>
  `Use ${use} of the \`Clock\` port (libs/core/src/ports/clock.ts) instead, so that simulation and tests can drive it.`;
const TIMER_GLOBALS = [
  { name: 'setTimeout', message: clock('after') },
  { name: 'setInterval', message: clock('after') },
  { name: 'setImmediate', message: clock('after(0, ...)') },
  { name: 'clearTimeout', message: clock('what after returns') },
  { name: 'clearInterval', message: clock('what after returns') },
  { name: 'clearImmediate', message: clock('what after returns') },
  { name: 'performance', message: clock('monotonic') },
];
const CORE_GLOBALS = [
  ...TIMER_GLOBALS,
  { name: 'Date', message: clock('wall') },
  { name: 'crypto', message: clock('newId or random') },
  { name: 'process', message: 'libs/core is pure: take what you need of it as an argument or a port, time from the `Clock` port.' },
  { name: 'console', message: 'libs/core is pure: emit an event through the `Telemetry` port; time from the `Clock` port.' },
  { name: 'fetch', message: 'libs/core is pure: no network. Take what you need as a port, as time comes from the `Clock` port.' },
];
const CLOCK_PROPERTIES = [
  { object: 'Math', property: 'random', message: clock('random') },
  { object: 'Date', property: 'now', message: clock('wall') },
  { object: 'process', property: 'hrtime', message: clock('monotonic') },
  { object: 'crypto', property: 'randomUUID', message: clock('newId') },
];
/** `globalThis.setTimeout` is the same global. */
const globals = (/** @type {readonly object[]} */ names) => ({
  'no-restricted-globals': ['error', { globals: names, checkGlobalObject: true }],
  'no-restricted-properties': ['error', ...CLOCK_PROPERTIES],
});
/** @param {readonly object[]} patterns */
const syntax = (...patterns) => ({ 'no-restricted-syntax': ['error', ...patterns] });
const NEW_DATE = { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: clock('wall') };

// --- Decisions are pure, and every spec runs -----------------------------------------------------------------------------

const DECISIONS = 'libs/core/src/{checkpoint,restart,assignment}/**/*.ts';
const ASYNC = {
  selector: ':function[async=true], AwaitExpression, NewExpression[callee.name="Promise"]',
  message: 'checkpoint/, restart/ and assignment/ decide, they do not act: no async here. Return what is to be done.',
};
const UNRUN_SPEC = {
  selector:
    'CallExpression > MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(skip|only|todo|failing)$/], ' +
    'CallExpression[callee.name=/^(xit|xtest|xdescribe|fit|fdescribe)$/]',
  message: 'Every spec runs, and nothing is skipped in silence: a spec that cannot run fails and says what is missing.',
};

const NODE_GLOBALS = 'AbortSignal Buffer URL clearInterval clearTimeout console performance process setInterval setTimeout'.split(' ');

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', '.weir/', 'data/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    rules: {
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: 'error',
      'no-restricted-exports': [
        'error',
        { restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true } },
      ],
      'max-lines': ['error', 500],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: ['./tsconfig.spec.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // `a && b()` and `a ? b() : c()` as statements are read at a glance.
      '@typescript-eslint/no-unused-expressions': ['error', { allowShortCircuit: true, allowTernary: true }],
      // The message of an exhaustiveness check prints the `never` that came all the same.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowNever: true }],
      // A port's method is async although one of its implementations has nothing to wait for; Promise.all may get values too.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/await-thenable': 'off',
    },
  },
  // Nest reads the constructor's types at run time: `import type` of an injected class removes them, and the rule's own fix
  // writes just that. And what Nest's reflection hands over as a class is typed `Function`.
  {
    files: ['libs/nest/src/**/*.ts', 'apps/*/src/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off', '@typescript-eslint/no-unsafe-function-type': 'off' },
  },

  {
    files: [LIBS],
    ignores: SPECS,
    rules: {
      ...globals(TIMER_GLOBALS),
      ...syntax(NEW_DATE),
      ...imports('adapters', 'nest', 'kafkajs', 'rocksdb', 'nodeTimers'),
    },
  },
  {
    files: ['libs/core/src/**/*.ts'],
    ignores: SPECS,
    rules: { ...globals(CORE_GLOBALS), ...imports('weirInCore', 'nest', 'kafkajs', 'rocksdb', 'nodeInCore', 'bareNodeInCore') },
  },
  { files: [DECISIONS], ignores: SPECS, rules: syntax(NEW_DATE, ASYNC) },
  { files: ['libs/nest/src/**/*.ts'], ignores: SPECS, rules: imports('adapters', 'kafkajs', 'rocksdb', 'nodeTimers') },
  { files: [KAFKAJS_HOME], rules: imports('adapters', 'nest', 'rocksdb', 'nodeTimers') },
  { files: [ROCKSDB_HOME], rules: imports('adapters', 'nest', 'kafkajs', 'nodeTimers') },
  // The manual clock lets promises settle between two of its timers, for which it needs Node's own.
  { files: [MANUAL_CLOCK], rules: imports('adapters', 'nest', 'kafkajs', 'rocksdb') },
  { files: ['apps/*/src/**/*.ts'], ignores: SPECS, rules: { 'no-console': 'off', ...imports('kafkajs', 'rocksdb') } },
  { files: ['libs/core/src/**/*.spec.ts', 'libs/testing/src/**/*.spec.ts'], rules: imports('nest', 'kafkajs', 'rocksdb') },
  { files: ['libs/{kafka,storage,nest}/src/**/*.spec.ts', 'apps/*/src/**/*.spec.ts'], rules: imports() },
  { files: SUITES, rules: { 'max-lines-per-function': 'off', ...syntax(UNRUN_SPEC) } },

  // Scripts and configuration run before anything is installed or built, so they are plain JavaScript.
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(NODE_GLOBALS.map((name) => [name, 'readonly'])),
    },
    rules: { 'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }] },
  },
  { files: ['scripts/**/*.d.mts'], extends: [tseslint.configs.recommended] },
  { files: ['*.config.js'], rules: { 'no-restricted-exports': 'off' } },
);
