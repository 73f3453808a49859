// Speed and memory of the state backends, on what `npm run build` made.
//
//   node libs/storage/bench/state-store.bench.mjs                       both backends against a plain Map, 500,000 entries
//   node libs/storage/bench/state-store.bench.mjs memory-use            8 RocksDB stores, 6 million puts: memory against the budget
//   ENTRIES, COMPRESSION (none, zstd), BUDGET_MB, STORES, PUTS          change the numbers
//
// Absolute numbers tell of the machine; the ratios to the Map, taken in the same run, tell of the code.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordWriter } from '@weir/core';
import { memory, rocksdb } from '../dist/index.js';

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);
const ENTRIES = number('ENTRIES', 500_000);
const compression = process.env.COMPRESSION ?? 'none';
const BATCH = 5_000;
const KEY_BYTES = 20;
const VALUE_BYTES = 16;
const dir = mkdtempSync(join(tmpdir(), 'weir-bench-'));
const megabytes = (bytes) => `${Math.round(bytes / 1024 / 1024)} MB`;

/** Key group, state id, sensor: as core stores them. Multiplying by an odd number spreads the order of writing over the order of keys. */
function keyOf(i) {
  const n = (i * 7919) % ENTRIES;
  const key = Buffer.alloc(KEY_BYTES);
  key.writeUInt16BE(n % 128, 0);
  key.writeUInt16BE(1, 2);
  key.write(`sensor_${String(n).padStart(9, '0')}`, 4);
  return key;
}

function batchOf(keys, from, to, round) {
  const writer = new RecordWriter();
  const value = Buffer.alloc(VALUE_BYTES, round);
  for (let i = from; i < to; i++) writer.add(0, keys[i], value);
  return writer.columns;
}

/** Operations a second. */
function timed(count, run) {
  const began = performance.now();
  run();
  return (count / (performance.now() - began)) * 1000;
}

async function timedAsync(count, run) {
  const began = performance.now();
  await run();
  return (count / (performance.now() - began)) * 1000;
}

/** A Map with the port's reads and writes: what a program would use that needs neither order, nor snapshots, nor durability. */
class MapPeer {
  #map = new Map();
  get(key) {
    return this.#map.get(key.latin1Slice(0, key.length));
  }
  getMany(keys) {
    return keys.map((key) => this.get(key));
  }
  async apply({ count, buffer, keyStart, keyEnd, valueStart, valueEnd }) {
    for (let i = 0; i < count; i++) {
      this.#map.set(buffer.latin1Slice(keyStart[i], keyEnd[i]), Buffer.from(buffer.subarray(valueStart[i], valueEnd[i])));
    }
  }
  scan() {
    return this.#map.entries();
  }
  async close() {}
}

async function measure(store, keys) {
  const result = {};
  const rounds = [1, 2].map((round) => {
    const batches = [];
    for (let i = 0; i < keys.length; i += BATCH) batches.push(batchOf(keys, i, Math.min(i + BATCH, keys.length), round));
    return batches;
  });
  let offset = 0;
  const put = async (batches) => {
    for (const batch of batches) await store.apply(batch, { offset: ++offset, topicId: 'bench', leaderEpoch: 0, writtenAt: 0 });
  };
  result['put, new'] = await timedAsync(keys.length, () => put(rounds[0]));
  result['put, again'] = await timedAsync(keys.length, () => put(rounds[1]));
  const slices = (size) => Array.from({ length: Math.floor(keys.length / size) }, (_, i) => keys.slice(i * size, (i + 1) * size));
  const [hundreds, thousands] = [slices(100), slices(1000).map((slice) => slice.sort(Buffer.compare))];
  const missing = keys.map((key) => Buffer.concat([key.subarray(0, KEY_BYTES - 1), Buffer.from('!')]));
  for (const slice of hundreds) store.getMany(slice);
  result['get'] = timed(200_000, () => {
    for (let i = 0; i < 200_000; i++) store.get(keys[i % keys.length]);
  });
  result['get, absent'] = timed(200_000, () => {
    for (let i = 0; i < 200_000; i++) store.get(missing[i % keys.length]);
  });
  result['get 100'] = timed(keys.length, () => hundreds.forEach((slice) => store.getMany(slice)));
  result['get 1000, sorted'] = timed(keys.length, () => thousands.forEach((slice) => store.getMany(slice)));
  let seen = 0;
  const first = performance.now();
  for (const _ of store.scan(Buffer.alloc(0))) seen++;
  result['scan'] = (seen / (performance.now() - first)) * 1000;
  await store.close();
  return result;
}

async function speed() {
  const keys = Array.from({ length: ENTRIES }, (_, i) => keyOf(i));
  const scope = { applicationId: 'bench', incarnation: 0, subTopology: 0, task: 0 };
  const backends = {
    memory: await memory().open(1),
    rocksdb: await rocksdb({ dir, compression, memoryBudgetBytes: number('BUDGET_MB', 128) * 1024 * 1024 }).open(1),
  };
  const results = { map: await measure(new MapPeer(), keys) };
  for (const [name, backend] of Object.entries(backends)) {
    results[name] = await measure(await backend.open(scope), keys);
    await backend.close();
  }
  console.log(`${ENTRIES} entries, keys of ${KEY_BYTES} and values of ${VALUE_BYTES} bytes, batches of ${BATCH}`);
  console.log("operations a second, and their ratio to the Map's");
  for (const act of Object.keys(results.map)) {
    const cells = Object.entries(results).map(([name, result]) => {
      const rate = Math.round(result[act]).toLocaleString('en').padStart(11);
      return `${name} ${rate} ${(result[act] / results.map[act]).toFixed(3)}`;
    });
    console.log(act.padEnd(18), cells.join('   '));
  }
}

async function memoryUse() {
  const [stores, puts, budget] = [number('STORES', 8), number('PUTS', 6_000_000), number('BUDGET_MB', 256) * 1024 * 1024];
  const backend = await rocksdb({ dir, compression, memoryBudgetBytes: budget }).open(stores);
  const open = [];
  for (let task = 0; task < stores; task++) open.push(await backend.open({ applicationId: 'bench', incarnation: 0, subTopology: 0, task }));
  const value = Buffer.alloc(100, 0x61);
  const before = process.memoryUsage();
  let most = 0;
  const began = performance.now();
  for (let batch = 0; batch * BATCH < puts; batch++) {
    const writer = new RecordWriter(1 << 20);
    for (let i = 0; i < BATCH; i++) writer.add(0, Buffer.from(`sensor_${((batch * BATCH + i) * 7919) % 999_983}-${batch % 64}`), value);
    await open[batch % stores].apply(writer.columns, { offset: batch, topicId: 'bench', leaderEpoch: 0, writtenAt: 0 });
    const { rss, heapTotal, external } = process.memoryUsage();
    most = Math.max(most, rss - heapTotal - external - (before.rss - before.heapTotal - before.external));
  }
  const rate = (puts / (performance.now() - began)) * 1000;
  // Reads fill the caches, and more is written while they are full.
  const look = () => {
    const { rss, heapTotal, external } = process.memoryUsage();
    most = Math.max(most, rss - heapTotal - external - (before.rss - before.heapTotal - before.external));
  };
  for (let read = 0; read < puts / 2; read += BATCH) {
    const store = open[(read / BATCH) % stores];
    const keys = Array.from({ length: BATCH }, (_, i) => Buffer.from(`sensor_${((read + i) * 104_729) % 999_983}-${(read / BATCH) % 64}`));
    store.getMany(keys.sort(Buffer.compare));
    look();
    if ((read / BATCH) % 4 > 0) continue;
    const writer = new RecordWriter(1 << 20);
    for (const key of keys) writer.add(0, key, value);
    await store.apply(writer.columns, { offset: puts + read, topicId: 'bench', leaderEpoch: 0, writtenAt: 0 });
  }
  for (const store of open) for (const _ of store.scan(Buffer.alloc(0))) continue;
  look();
  const size = open.reduce((sum, store) => sum + store.approximateSize(), 0);
  await backend.close();
  console.log(`${stores} stores, ${puts} puts of 100 bytes, ${Math.round(rate)} a second, ${megabytes(size)} on disk`);
  console.log(`native memory grew by at most ${megabytes(most)}; the budget is ${megabytes(budget)}`);
}

try {
  await (process.argv[2] === 'memory-use' ? memoryUse() : speed());
} finally {
  rmSync(dir, { recursive: true, force: true });
}
