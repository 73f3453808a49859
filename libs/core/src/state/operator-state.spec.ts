import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytes, float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { RecordWriter } from '../model/record-columns.js';
import { valueState } from './descriptors.js';
import { FakeStore } from './fake-store.spec-d.js';
import { KeyTable } from './key-table.js';
import { KeyedStateRegistry } from './keyed-state-registry.js';
import { type BroadcastState, broadcastState, type OperatorListState, operatorListState, OperatorStates, unionListState } from './operator-state.js';
import { CATALOGUE_VERSION, checkCatalogue, type StateCatalogue } from './state-catalogue.js';
import { stateIdOf } from './stored-key.js';

/** One life of an operator's states, on a store that outlives it. */
function open<T>(store: FakeStore, declare: (states: OperatorStates) => T): { readonly states: OperatorStates; readonly handles: T; readonly freeze: () => number } {
  const states = new OperatorStates('op', new Map());
  const handles = declare(states);
  states.seal();
  states.load(store);
  states.broadcastSide = true;
  const freeze = (): number => {
    const changes = new RecordWriter();
    states.freeze(changes, 0);
    store.applyNow(changes.columns);
    return changes.count;
  };
  return { states, handles, freeze };
}

describe.each([
  ['operator list', operatorListState('list', float64)],
  ['union list', unionListState('list', float64)],
])('%s state', (_, descriptor) => {
  const make = (store: FakeStore) => open<OperatorListState<number>>(store, (states) => states.list(descriptor));

  it('keeps elements in their order, also beyond 256 of them, over a commit', () => {
    const store = new FakeStore();
    const { handles: list, freeze } = make(store);
    const elements = Array.from({ length: 300 }, (_, i) => i);
    for (const each of elements) list.add(each);
    expect(list.get()).toEqual(elements);
    expect(freeze()).toBe(300);
    expect(make(store).handles.get()).toEqual(elements);
  });

  it('writes an added element alone, and nothing where nothing changed', () => {
    const { handles: list, freeze } = make(new FakeStore());
    list.update([1, 2, 3]);
    freeze();
    list.add(4);
    expect([freeze(), freeze()]).toEqual([1, 0]);
  });

  it('hands out copies', () => {
    const { handles: list } = make(new FakeStore());
    list.add(1);
    list.get().push(2);
    expect(list.get()).toEqual([1]);
  });

  it('is that of a plain array, whatever is added, replaced, cleared, committed and restored', () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('add' as const), value: fc.nat(9) }),
      fc.record({ act: fc.constant('update' as const), values: fc.array(fc.nat(9), { maxLength: 5 }) }),
      fc.record({ act: fc.constantFrom('clear' as const, 'commit' as const, 'crash' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = new FakeStore();
        let life = make(store);
        let [model, committed]: [number[], number[]] = [[], []];
        for (const each of steps) {
          switch (each.act) {
            case 'add':
              life.handles.add(each.value);
              model.push(each.value);
              break;
            case 'update':
              life.handles.update(each.values);
              model = [...each.values];
              break;
            case 'clear':
              life.handles.clear();
              model = [];
              break;
            case 'commit':
              life.freeze();
              committed = [...model];
              break;
            case 'crash':
              life = make(store);
              model = [...committed];
          }
          expect(life.handles.get()).toEqual(model);
        }
      }),
    );
  });
});

describe('broadcast state', () => {
  const make = (store: FakeStore) => open<BroadcastState<string, number>>(store, (states) => states.broadcast(broadcastState('limits', utf8, float64)));

  it('is that of a plain Map in the order of its keys, whatever is put, removed, cleared, committed and restored', () => {
    const key = fc.constantFrom('a', 'aa', 'b', '', 'ü');
    const step = fc.oneof(
      fc.record({ act: fc.constant('put' as const), key, value: fc.nat(9) }),
      fc.record({ act: fc.constant('remove' as const), key }),
      fc.record({ act: fc.constantFrom('clear' as const, 'commit' as const, 'crash' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = new FakeStore();
        let life = make(store);
        let [model, committed] = [new Map<string, number>(), new Map<string, number>()];
        for (const each of steps) {
          switch (each.act) {
            case 'put':
              life.handles.put(each.key, each.value);
              model.set(each.key, each.value);
              break;
            case 'remove':
              life.handles.remove(each.key);
              model.delete(each.key);
              break;
            case 'clear':
              life.handles.clear();
              model.clear();
              break;
            case 'commit':
              life.freeze();
              committed = new Map(model);
              break;
            case 'crash':
              life = make(store);
              model = new Map(committed);
          }
          expect([...life.handles.entries()]).toEqual([...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          expect(['a', 'x'].map((name) => [life.handles.get(name), life.handles.has(name)])).toEqual(['a', 'x'].map((name) => [model.get(name), model.has(name)]));
        }
      }),
    );
  });

  it.each([
    ['put', (state: BroadcastState<string, number>) => state.put('a', 1)],
    ['remove', (state: BroadcastState<string, number>) => state.remove('a')],
    ['clear', (state: BroadcastState<string, number>) => state.clear()],
  ])('refuses %s outside of the broadcast side, and lets it be read', (_, act) => {
    const { states, handles } = make(new FakeStore());
    states.broadcastSide = false;
    const thrown = thrownBy(() => act(handles));
    expect([thrown.code, thrown.kind]).toEqual(['BROADCAST_STATE_READ_ONLY', 'invalid']);
    expect([handles.get('a'), [...handles.entries()]]).toEqual([undefined, []]);
  });

  it('writes nothing where what is removed was not there', () => {
    const { handles, freeze } = make(new FakeStore());
    handles.remove('a');
    expect(freeze()).toBe(0);
  });
});

describe.each<readonly [string, (states: OperatorStates, name: string) => unknown]>([
  ['operator list', (states, name) => states.list(operatorListState(name, float64))],
  ['union list', (states, name) => states.list(unionListState(name, float64))],
  ['broadcast', (states, name) => states.broadcast(broadcastState(name, utf8, float64))],
])('%s state', (_, declare) => {
  const refusal = (act: () => unknown): string => {
    const thrown = thrownBy(act);
    expect([thrown.code, thrown.kind]).toEqual(['STATE_REGISTRATION', 'invalid']);
    return thrown.message;
  };

  it.each<readonly [string, (states: OperatorStates) => unknown]>([
    ['the same', (states) => declare(states, 'x')],
    ['an operator list', (states) => states.list(operatorListState('x', utf8))],
    ['a union list', (states) => states.list(unionListState('x', utf8))],
    ['a broadcast state', (states) => states.broadcast(broadcastState('x', utf8, utf8))],
  ])('is refused under the name of another one: %s', (_kind, again) => {
    const states = new OperatorStates('op', new Map());
    declare(states, 'x');
    expect(refusal(() => again(states))).toMatch(/^State x of operator op: it is registered twice(, as .+ state and as .+ state)?\. Register it once, in open,/);
  });

  it('is refused under the name of keyed state of the operator, and the other way round', () => {
    const taken = new Map<number, string>();
    const keyed = new KeyedStateRegistry('op', new KeyTable({ codec: utf8, maxParallelism: 1, limit: 1 }), taken);
    const states = new OperatorStates('op', taken);
    keyed.state(valueState('x', float64));
    declare(states, 'y');
    expect(refusal(() => declare(states, 'x'))).toContain('it is registered as keyed state, too');
    expect(refusal(() => keyed.state(valueState('y', float64)))).toContain('it is registered as operator state, too');
  });

  it('is refused where its id is that of another state of the task, by both names', () => {
    const taken = new Map([[stateIdOf('op', 'x'), 'state z of operator y']]);
    expect(refusal(() => declare(new OperatorStates('op', taken), 'x'))).toContain(`its id ${stateIdOf('op', 'x')} is that of state z of operator y`);
  });

  it('is refused after open', () => {
    const states = new OperatorStates('op', new Map());
    states.seal();
    expect(refusal(() => declare(states, 'x'))).toContain('it is registered after open. Register every state in open.');
  });

  it('is refused before it was loaded: what is read would be nothing', () => {
    const states = new OperatorStates('op', new Map());
    states.broadcastSide = true;
    const handle = declare(states, 'x') as OperatorListState<number> & BroadcastState<string, number>;
    const uses = 'add' in handle ? [() => handle.get(), () => handle.add(1), () => handle.update([1])] : [() => (handle as BroadcastState<string, number>).get('a'), () => [...(handle as BroadcastState<string, number>).entries()], () => (handle as BroadcastState<string, number>).put('a', 1)];
    for (const use of uses) expect(refusal(use)).toContain('it is used before it was loaded. Use it in initializeState, or later;');
  });

  it('names state, operator and codec when a stored value cannot be decoded', () => {
    const store = new FakeStore();
    const { states, handles, freeze } = open(store, (all) => declare(all, 'x') as { add?(n: number): void; put?(key: string, n: number): void });
    if (handles.add === undefined) handles.put!('a', 1);
    else handles.add(1);
    freeze();
    expect(states.codecs.map(({ id }) => id)).toContain('float64');
    for (const key of store.entries.keys()) store.entries.set(key, Buffer.from('abc'));
    const thrown = thrownBy(() => open(store, (all) => declare(all, 'x')));
    expect([thrown.code, thrown.message]).toEqual(['STATE_UNDECODABLE', expect.stringContaining('state x of operator op as float64') as unknown]);
  });

  it('names state, operator and codec when a value cannot be encoded', () => {
    const { handles, freeze } = open(new FakeStore(), (all) => declare(all, 'x') as { add?(n: unknown): void; put?(key: string, n: unknown): void });
    if (handles.add === undefined) handles.put!('a', 'text');
    else handles.add('text');
    const thrown = thrownBy(freeze);
    expect([thrown.code, thrown.kind]).toEqual(['STATE_UNENCODABLE', 'data']);
  });
});

describe('a job whose operator state is recorded', () => {
  const catalogueOf = (declare: (states: OperatorStates) => unknown): StateCatalogue => {
    const states = new OperatorStates('op', new Map());
    declare(states);
    return {
      version: CATALOGUE_VERSION,
      job: 'job',
      parallelism: 1,
      maxParallelism: 128,
      inputs: {},
      operators: { op: { keyCodec: 'none', keyVersion: 1, states: Object.fromEntries(states.declarations) } },
    };
  };
  const list = (states: OperatorStates): unknown => states.list(operatorListState('x', float64));
  const union = (states: OperatorStates): unknown => states.list(unionListState('x', float64));
  const broadcast = (states: OperatorStates): unknown => states.broadcast(broadcastState('x', utf8, float64));
  const later = { ...float64, version: 2 };

  it.each<readonly [string, (states: OperatorStates) => unknown, (states: OperatorStates) => unknown, string]>([
    ['a list becomes a union list', list, union, 'was a operator-list state and is a operator-union-list state'],
    ['a union list becomes a broadcast', union, broadcast, 'was a operator-union-list state and is a broadcast state'],
    ['a broadcast becomes a list', broadcast, list, 'was a broadcast state and is a operator-list state'],
    ['a list has another codec', list, (states) => states.list(operatorListState('x', utf8)), 'was float64 and is declared utf8'],
    ['a list has another version of it', list, (states) => states.list(operatorListState('x', later)), 'was version 1 of float64 and is declared version 2'],
    ['a union list has another codec', union, (states) => states.list(unionListState('x', utf8)), 'was float64 and is declared utf8'],
    ['a broadcast has other values', broadcast, (states) => states.broadcast(broadcastState('x', utf8, utf8)), 'was utf8 -> float64 and is declared utf8 -> utf8'],
    ['a broadcast has another version of them', broadcast, (states) => states.broadcast(broadcastState('x', utf8, later)), 'is declared version 2'],
    ['a broadcast has other keys', broadcast, (states) => states.broadcast(broadcastState('x', bytes, float64)), 'was utf8 -> float64 and is declared bytes -> float64'],
    ['a broadcast has another version of its keys', broadcast, (states) => states.broadcast(broadcastState('x', { ...utf8, version: 2 }, float64)), 'declared utf8@2 -> float64'],
    ['it is no longer declared', list, () => undefined, 'state "x" of operator "op" is no longer declared'],
  ])('is refused where %s', (_, before, after, problem) => {
    expect(() => checkCatalogue(catalogueOf(before), catalogueOf(before), 'c')).not.toThrow();
    const thrown = thrownBy(() => checkCatalogue(catalogueOf(before), catalogueOf(after), 'c'));
    expect([thrown.code, thrown.message]).toEqual(['STATE_INCOMPATIBLE', expect.stringContaining(problem) as unknown]);
  });
});

describe('operator states', () => {
  it('keep their entries apart, in the catalogue and in the store', () => {
    const store = new FakeStore();
    const declare = (states: OperatorStates) => [states.list(operatorListState('a', utf8)), states.list(unionListState('b', json<number>())), states.broadcast(broadcastState('c', bytes, utf8))] as const;
    const { states, handles: [a, b, c], freeze } = open(store, declare);
    a.add('one');
    b.update([1, 2]);
    c.put(Buffer.from([0]), 'two');
    expect([states.changes, freeze(), states.changes]).toEqual([4, 4, 0]);
    const again = open(store, declare).handles;
    expect([again[0].get(), again[1].get(), again[2].get(Buffer.from([0]))]).toEqual([['one'], [1, 2], 'two']);
    expect([...states.declarations.values()].map(({ kind, codec }) => [kind, codec])).toEqual([
      ['operator-list', 'utf8'],
      ['operator-union-list', 'json'],
      ['broadcast', 'bytes -> utf8'],
    ]);
  });
});
