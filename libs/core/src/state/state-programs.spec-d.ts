import fc from 'fast-check';
import { offset } from '../model/brands.js';
import type { StateStore } from '../ports/state-backend.js';
import type { Ttl } from './descriptors.js';
import { StateRig } from './state-rig.spec-d.js';

/**
 * Random programs of state operations, run on a table of keys over a store and on plain arrays and Maps beside it; both must give the same
 * results, whatever is frozen, stored, applied, evicted or lost meanwhile.
 */
const KEYS = ['', 'a', 'b', 'c', '\0\0\0\0', 'ü'];
const USER_KEYS = ['', 'a', 'b', '\0', 'ü', '\u{1F600}'];

type Operation = readonly [kind: 'value' | 'list' | 'map' | 'reducing' | 'aggregating', act: string, userKey: string, n: number];
export type Step =
  | { readonly type: 'record'; readonly key: string; readonly operations: readonly Operation[] }
  | { readonly type: 'commit-step' }
  | { readonly type: 'crash' }
  | { readonly type: 'time'; readonly ms: number };

const ACTS = {
  value: ['value', 'update', 'clear'],
  list: ['add', 'add', 'addAll', 'update', 'get', 'clear'],
  map: ['get', 'put', 'put', 'putAll', 'has', 'remove', 'entries', 'first', 'isEmpty', 'clear', 'removeWhileIterating', 'clearWhileIterating'],
  reducing: ['add', 'add', 'get', 'clear'],
  aggregating: ['add', 'merge', 'get', 'clear'],
} as const;

const operation: fc.Arbitrary<Operation> = fc
  .constantFrom(...(['value', 'list', 'list', 'map', 'map', 'map', 'reducing', 'aggregating'] as const))
  .chain((kind) => fc.tuple(fc.constant(kind), fc.constantFrom<string>(...ACTS[kind]), fc.constantFrom(...USER_KEYS), fc.integer({ min: 1, max: 99 })));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('record' as const), key: fc.oneof(fc.constant('a'), fc.constantFrom(...KEYS)), operations: fc.array(operation, { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 4, arbitrary: fc.constant<Step>({ type: 'commit-step' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'crash' }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 60 }) }) },
);

export const program = fc.record({
  steps: fc.array(step, { minLength: 60, maxLength: 200, size: 'max' }),
  limit: fc.constantFrom(1, 3, 100),
  ttl: fc.option(fc.record({ ms: fc.constant(100), update: fc.constantFrom<NonNullable<Ttl['update']>>('onCreateAndWrite', 'onReadAndWrite') }), { nil: undefined }),
});
export type Program = typeof program extends fc.Arbitrary<infer P> ? P : never;

interface Timed {
  n: number;
  at: number;
}
/** One key's state. */
interface Model {
  value: Timed | undefined;
  list: Timed[];
  map: Map<string, Timed>;
  reducing: Timed | undefined;
  aggregating: { sum: number; count: number; at: number } | undefined;
}
const emptyModel = (): Model => ({ value: undefined, list: [], map: new Map(), reducing: undefined, aggregating: undefined });
const byBytes = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Runs the operation on the model. */
class ModelRun {
  constructor(
    private readonly ttl: Ttl | undefined,
    private readonly now: number,
  ) {}

  #isAlive = (timed: { at: number } | undefined): boolean => timed !== undefined && (this.ttl === undefined || this.now - timed.at < this.ttl.ms);
  #read<T extends { at: number }>(timed: T | undefined): T | undefined {
    if (timed === undefined || !this.#isAlive(timed)) return undefined;
    if (this.ttl?.update === 'onReadAndWrite') timed.at = this.now;
    return timed;
  }
  #entries(model: Model): [string, Timed][] {
    return [...model.map].filter(([, timed]) => this.#isAlive(timed)).sort(byBytes);
  }

  run(model: Model, [kind, act, userKey, n]: Operation): unknown {
    const { now } = this;
    switch (kind) {
      case 'value':
        if (act === 'value') return this.#read(model.value)?.n;
        model.value = act === 'update' ? { n, at: now } : undefined;
        return undefined;
      case 'reducing':
        if (act === 'get') return this.#read(model.reducing)?.n;
        model.reducing = act === 'add' ? { n: (this.#read(model.reducing)?.n ?? 0) + n, at: now } : undefined;
        return undefined;
      case 'aggregating': {
        if (act === 'clear') return void (model.aggregating = undefined);
        const soFar = this.#read(model.aggregating);
        if (act === 'get') return soFar === undefined ? undefined : soFar.sum / soFar.count;
        model.aggregating = { sum: (soFar?.sum ?? 0) + n, count: (soFar?.count ?? 0) + (act === 'add' ? 1 : 2), at: now };
        return undefined;
      }
      case 'list':
        return this.#list(model, act, n);
      case 'map':
        return this.#map(model, act, userKey, n);
    }
  }

  #list(model: Model, act: string, n: number): unknown {
    const { now } = this;
    if (act === 'get') return model.list.flatMap((timed) => this.#read(timed)?.n ?? []);
    if (act === 'clear' || act === 'update') model.list = [];
    if (act === 'add' || act === 'addAll' || act === 'update') model.list.push({ n, at: now });
    if (act === 'addAll') model.list.push({ n: -n, at: now });
    return undefined;
  }

  #map(model: Model, act: string, userKey: string, n: number): unknown {
    const { map } = model;
    const { now } = this;
    switch (act) {
      case 'get':
        return this.#read(map.get(userKey))?.n;
      case 'has':
        return this.#read(map.get(userKey)) !== undefined;
      case 'put':
        return void map.set(userKey, { n, at: now });
      case 'putAll':
        map.set(userKey, { n, at: now });
        return void map.set('b', { n: -n, at: now });
      case 'remove':
        return void map.delete(userKey);
      case 'clear':
        return map.clear();
      case 'entries':
        return this.#entries(model).map(([key, timed]) => [key, this.#read(timed)!.n]);
      case 'first':
      case 'isEmpty': {
        const first = this.#entries(model)[0];
        if (first !== undefined) this.#read(first[1]);
        return act === 'isEmpty' ? first === undefined : first === undefined ? [] : [first[0]];
      }
      default: {
        // All that comes behind the first entry is removed while it is iterated, or the first one too.
        const [first] = this.#entries(model);
        if (first !== undefined) this.#read(first[1]);
        if (first !== undefined && act === 'clearWhileIterating') map.clear();
        for (const key of map.keys()) if (first !== undefined && key !== first[0]) map.delete(key);
        return first === undefined ? [] : [first[0]];
      }
    }
  }
}

/** Runs the operation on the real thing. */
function runReal({ value, list, map, reducing, aggregating }: StateRig['handles'], [kind, act, userKey, n]: Operation): unknown {
  switch (kind) {
    case 'value':
      return act === 'value' ? value.value() : act === 'update' ? value.update(n) : value.clear();
    case 'reducing':
      return act === 'get' ? reducing.get() : act === 'add' ? reducing.add(n) : reducing.clear();
    case 'aggregating':
      if (act === 'merge') return aggregating.merge({ sum: n, count: 2 });
      return act === 'get' ? aggregating.get() : act === 'add' ? aggregating.add(n) : aggregating.clear();
    case 'list':
      if (act === 'add') return list.add(n);
      if (act === 'addAll') return list.addAll([n, -n]);
      return act === 'update' ? list.update([n]) : act === 'get' ? list.get() : list.clear();
    case 'map':
      return runMap(map, act, userKey, n);
  }
}

function runMap(map: StateRig['handles']['map'], act: string, userKey: string, n: number): unknown {
  switch (act) {
    case 'get':
      return map.get(userKey);
    case 'has':
      return map.has(userKey);
    case 'put':
      return map.put(userKey, n);
    case 'putAll':
      return map.putAll([[userKey, n], ['b', -n]]);
    case 'remove':
      return map.remove(userKey);
    case 'clear':
      return map.clear();
    case 'entries':
      return [...map.entries()];
    case 'first':
      for (const key of map.keys()) return [key];
      return [];
    case 'isEmpty':
      return map.isEmpty();
    default: {
      const seen: string[] = [];
      for (const key of map.keys()) {
        if (act === 'clearWhileIterating') map.clear();
        else for (const other of USER_KEYS) if (other !== key) map.remove(other);
        seen.push(key);
      }
      return seen;
    }
  }
}

/** @returns where the two differ, and what is wrong with the store at the end */
export async function differences(store: StateStore, given: Program): Promise<string[]> {
  const { steps, limit, ttl } = given;
  const found: string[] = [];
  let rig = new StateRig(store, { limit, ttl });
  let models = new Map<string, Model>();
  let committed: { readonly models: Map<string, Model>; readonly sequence: number } = { models: new Map(), sequence: 0 };
  let frozen: typeof committed | undefined;
  let phase: 'running' | 'frozen' | 'stored' = 'running';
  let position = store.position?.offset ?? 0;

  const commitStep = async (): Promise<void> => {
    if (phase === 'running') {
      rig.freeze();
      frozen = { models: structuredClone(models), sequence: rig.table.sequence.next };
      phase = 'frozen';
    } else if (phase === 'frozen') {
      await rig.storeFrozen(offset(++position));
      committed = frozen!;
      phase = 'stored';
    } else {
      rig.applied();
      phase = 'running';
    }
  };

  for (const step of steps) {
    if (step.type === 'time') rig.now += step.ms;
    else if (step.type === 'commit-step') await commitStep();
    else if (step.type === 'crash') {
      rig = new StateRig(store, { limit, ttl, sequence: committed.sequence, now: rig.now });
      models = structuredClone(committed.models);
      phase = 'running';
    } else {
      const model = models.get(step.key) ?? emptyModel();
      models.set(step.key, model);
      rig.on(step.key, (handles) => {
        for (const operation of step.operations) {
          const expected = JSON.stringify(new ModelRun(ttl, rig.now).run(model, operation));
          const actual = JSON.stringify(runReal(handles, operation));
          if (actual !== expected) found.push(`${step.key} ${operation.join(' ')}: ${actual} and not ${expected}`);
        }
      });
    }
  }
  while (phase !== 'running') await commitStep();
  const commit = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await commitStep();
  };
  found.push(...(await storeDifferences(rig, models, given, commit)));
  return found;
}

/** The store holds what the model has, and no more; once all has expired and was swept, nothing of it. */
async function storeDifferences(rig: StateRig, models: ReadonlyMap<string, Model>, { ttl, limit }: Program, commit: () => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  await commit();
  rig.on('', () => undefined);
  if (rig.table.size > limit) found.push(`${rig.table.size} entries are in the table`);
  if (rig.table.cachedEntries > 2 * limit) found.push(`${rig.table.cachedEntries} map entries are cached`);
  const stored = [...rig.store.scan(Buffer.alloc(0))].length;
  const expected = [...models.values()].reduce((sum, { value, list, map, reducing, aggregating }) => {
    return sum + [value, reducing, aggregating].filter((one) => one !== undefined).length + list.length + map.size;
  }, 0);
  if (ttl === undefined && stored !== expected) found.push(`the store holds ${stored} entries and not ${expected}`);
  if (ttl === undefined) return found;
  rig.now += ttl.ms * 2;
  for (let i = 0; i < 4; i++) {
    await commit();
    rig.now += ttl.ms;
  }
  const left = [...rig.store.scan(Buffer.alloc(0))];
  if (left.length > 0) found.push(`${left.length} expired entries are left in the store: ${left.map(({ key }) => key.toString('hex')).join(' ')}`);
  return found;
}
