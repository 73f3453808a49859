import { describeStateConformance } from '../conformance/state.js';
import { SimulatedDisk } from './simulated-disk.js';

describeStateConformance('the simulated disk', async () => {
  const disk = new SimulatedDisk();
  return {
    factory: { kind: 'rocksdb', open: (maxStores) => disk.connect().open(maxStores) },
    wipe: async () => disk.wipe(),
    dispose: async () => undefined,
  };
});
