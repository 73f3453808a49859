// One jest project for the whole workspace; `@weir/*` resolves to sources, so specs never need a build.
// Suites by suffix (see README, "Tests"): .spec, .sim.spec, .kafka.spec, .chaos.spec.
export default {
  rootDir: '.',
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@weir/testing/conformance$': '<rootDir>/libs/testing/src/conformance/index.ts',
    '^@weir/([a-z]+)$': '<rootDir>/libs/$1/src/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  testMatch: ['<rootDir>/{libs,apps}/*/src/**/*.spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/libs/[a-z]+/dist/'],
  testTimeout: 30_000,
};
