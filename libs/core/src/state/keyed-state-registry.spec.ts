import { describe, expect, it } from '@jest/globals';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { epoch } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import { aggregatingState, listState, type ListStateDescriptor, mapState, reducingState, valueState } from './descriptors.js';
import { KeyTable, MAX_STATES_PER_TABLE } from './key-table.js';
import { KeyedStateRegistry } from './keyed-state-registry.js';
import { stateIdOf } from './stored-key.js';

const tableOf = (): KeyTable => new KeyTable({ codec: utf8, maxParallelism: 128, limit: 10 });
const registryOf = (table = tableOf(), operator = 'jump', taken = new Map<number, string>()): KeyedStateRegistry => new KeyedStateRegistry(operator, table, taken);

describe('declaring a state', () => {
  it('records it for the catalogue, by name', () => {
    const registry = registryOf();
    registry.state(valueState('last', float64));
    registry.state(valueState('seen', { ...json(), version: 3 }));
    expect(Object.fromEntries(registry.declarations)).toEqual({
      last: { kind: 'value', codec: 'float64', version: 1, id: stateIdOf('jump', 'last') },
      seen: { kind: 'value', codec: 'json', version: 3, id: stateIdOf('jump', 'seen') },
    });
  });

  it('records the kind of each state, and of a map both codecs', () => {
    const registry = registryOf();
    registry.state(listState('list', float64));
    registry.state(mapState('map', { ...utf8, version: 2 }, json()));
    registry.state(reducingState('reducing', float64, (a, b) => a + b));
    registry.state(aggregatingState('aggregating', json<number[]>(), { createAccumulator: () => [], add: (n: number, all) => [...all, n], getResult: (all) => all.length, merge: (a, b) => [...a, ...b] }));
    expect([...registry.declarations.values()].map(({ id: _, ...declared }) => declared)).toEqual([
      { kind: 'list', codec: 'float64', version: 1 },
      { kind: 'map', codec: 'json', version: 1, keyCodec: 'utf8', keyVersion: 2 },
      { kind: 'reducing', codec: 'float64', version: 1 },
      { kind: 'aggregating', codec: 'json', version: 1 },
    ]);
  });

  it.each([
    ['list', listState('last', float64)],
    ['map', mapState('last', utf8, float64)],
    ['reducing', reducingState('last', float64, Math.max)],
  ])('is refused twice under one name, as another kind too, and after open: %s', (kind, descriptor) => {
    const registry = registryOf();
    registry.state(valueState('last', float64));
    expect(thrownBy(() => registry.state(descriptor as ListStateDescriptor<number>)).message).toContain(
      `it is registered twice, as value state and as ${kind} state. Register it once, in open,`,
    );
    const sealed = registryOf();
    sealed.seal();
    expect(thrownBy(() => sealed.state(descriptor as ListStateDescriptor<number>)).message).toContain('it is registered after open');
  });

  it('is refused twice under one name', () => {
    const registry = registryOf();
    registry.state(valueState('last', float64));
    const thrown = thrownBy(() => registry.state(valueState('last', float64)));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_REGISTRATION', 'invalid']);
    expect(thrown.message).toContain('State last of operator jump: it is registered twice. Register it once, in open,');
  });

  it('is refused after open', () => {
    const registry = registryOf();
    registry.seal();
    expect(thrownBy(() => registry.state(valueState('late', float64))).message).toContain('it is registered after open. Register every state in open.');
  });

  it('is refused where its id is that of another state of the task, by both names', () => {
    const taken = new Map([[stateIdOf('jump', 'last'), 'state x of operator y']]);
    const thrown = thrownBy(() => registryOf(tableOf(), 'jump', taken).state(valueState('last', float64)));
    expect(thrown.message).toContain(`its id ${stateIdOf('jump', 'last')} is that of state x of operator y. Rename one of the two.`);
  });

  it('takes as many states as a table has bits for, over all operators behind one keyBy', () => {
    const table = tableOf();
    const taken = new Map<number, string>();
    const [first, second] = [registryOf(table, 'first', taken), registryOf(table, 'second', taken)];
    for (let i = 0; i < MAX_STATES_PER_TABLE; i++) (i % 2 === 0 ? first : second).state(valueState(`state-${i}`, float64));
    expect(thrownBy(() => second.state(valueState('one-more', float64))).message).toContain('have at most 30 states');
  });

  it('gives the last of them a bit of its own', () => {
    const table = tableOf();
    const registry = registryOf(table);
    const states = Array.from({ length: MAX_STATES_PER_TABLE }, (_, i) => registry.state(valueState(`state-${i}`, float64)));
    table.current = table.resolve('key');
    states.at(-1)!.update(1);
    const changes = new RecordWriter();
    table.freeze(epoch(1), changes, 0);
    expect(changes.count).toBe(1);
    expect(changes.columns.key(0)!.readUInt32BE(2)).toBe(stateIdOf('jump', `state-${MAX_STATES_PER_TABLE - 1}`));
  });
});

describe('a value state', () => {
  it('is that of the current key', () => {
    const table = tableOf();
    const last = registryOf(table).state(valueState('last', float64));
    const [a, b] = [table.resolve('a'), table.resolve('b')];
    table.current = a;
    expect(last.value()).toBeUndefined();
    last.update(1);
    expect(last.value()).toBe(1);
    table.current = b;
    expect(last.value()).toBeUndefined();
    table.current = a;
    last.clear();
    expect(last.value()).toBeUndefined();
  });

  it('takes null where its codec does, and tells it from no value', () => {
    const table = tableOf();
    const state = registryOf(table).state(valueState('any', json<number | null>()));
    table.current = table.resolve('a');
    state.update(null);
    expect(state.value()).toBeNull();
  });

  it.each([
    ['value', (state: Handle) => state.value()],
    ['update', (state: Handle) => state.update(1)],
    ['clear', (state: Handle) => state.clear()],
  ])('refuses %s while no record is processed', (_, use) => {
    const state = registryOf().state(valueState('last', float64));
    const thrown = thrownBy(() => use(state));
    expect([thrown.code, thrown.kind]).toEqual(['STATE_OUTSIDE_KEY', 'invalid']);
    expect(thrown.message).toContain('State last of operator jump was used while no record is processed');
  });

  it('refuses undefined, which clear is for', () => {
    const table = tableOf();
    const state = registryOf(table).state(valueState<number | undefined>('last', json()));
    table.current = table.resolve('a');
    expect(thrownBy(() => state.update(undefined)).message).toContain('it was updated with undefined. Call clear() to remove a value.');
    expect(table.dirtyCount).toBe(0);
  });

  it('writes nothing when a key without a value is cleared', () => {
    const table = tableOf();
    const state = registryOf(table).state(valueState('last', float64));
    table.current = table.resolve('a');
    state.clear();
    expect(table.dirtyCount).toBe(0);
  });
});

interface Handle {
  value(): unknown;
  update(value: number): void;
  clear(): void;
}
