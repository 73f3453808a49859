import { describeStateBackendConformance } from '@weir/testing/conformance';
import { memory } from './memory-backend.js';

describeStateBackendConformance('memory', async () => ({
  factory: memory({ lockTimeoutMs: 200 }),
  durable: false,
  dispose: async () => undefined,
}));
