export * from './seeded-random.js';
export * from './manual-clock.js';
