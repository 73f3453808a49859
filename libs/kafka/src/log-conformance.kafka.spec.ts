import { describe } from '@jest/globals';
import { clockOf, sleep } from '@weir/core';
import { describeLogConformance } from '@weir/testing/conformance';
import { kafka } from './kafka-log.js';
import { brokersForSpecs } from './spec/brokers.js';

const clock = clockOf(globalThis);

describe.each([
  ['the version that the cluster offers', 'auto'],
  ['version 1', 1],
] as const)('with transactions of %s', (_, transactionVersion) => {
  describeLogConformance('Kafka', async () => {
    const factory = kafka({ brokers: brokersForSpecs(), transactionVersion });
    const suite = clock.newId().slice(0, 8);
    let names = 0;
    return Promise.resolve({
      open: () => factory.open({ clock, clientId: 'conformance' }),
      uniqueName: (stem: string) => `${stem}-${suite}-${names++}`,
      settle: () => sleep(clock, 5),
      close: () => Promise.resolve(),
    });
  });
});
