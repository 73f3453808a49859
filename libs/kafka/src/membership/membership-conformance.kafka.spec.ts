import { clockOf, sleep } from '@weir/core';
import { describeMembershipConformance } from '@weir/testing/conformance';
import { kafka } from '../kafka-log.js';
import { brokersForSpecs } from '../spec/brokers.js';

const clock = clockOf(globalThis);

describeMembershipConformance('Kafka', async () => {
  const factory = kafka({ brokers: brokersForSpecs() });
  const suite = clock.newId().slice(0, 8);
  let names = 0;
  return Promise.resolve({
    open: () => factory.open({ clock, clientId: 'conformance' }),
    uniqueName: (stem: string) => `${stem}-${suite}-${names++}`,
    settle: () => sleep(clock, 5),
    close: () => Promise.resolve(),
  });
});
