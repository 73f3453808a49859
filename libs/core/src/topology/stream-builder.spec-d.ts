import { boolean, bytes, float64, int64, json, utf8 } from '../codec/primitives.js';
import { valueState } from '../state/descriptors.js';
import { type Collector, type KeyedContext, KeyedFilter, KeyedFlatMap, KeyedMap } from './functions.js';
import type { StreamBuilder } from './stream-builder.js';
import { topic } from './topic.js';

/**
 * What the types of streams refuse. Nothing here runs: the type check does, and an expectation of an error that does not come is one.
 */
interface Reading {
  readonly id: string;
  readonly temperature: number;
}
interface Alert {
  readonly id: string;
}

const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
const ALERTS = topic('alerts', { key: utf8, value: json<Alert>() });
const BY_KEY = { alreadyPartitioned: { partitioner: 'auto' } } as const;

class Jump extends KeyedFlatMap<string, Reading, Alert> {
  override flatMap(reading: Reading, out: Collector<Alert>): void {
    out.collect({ id: reading.id });
    // @ts-expect-error an alert has no such field
    out.collect({ name: reading.id });
  }
}
class ByNumber extends KeyedFlatMap<number, Reading, Alert> {
  override flatMap(): void {
    // Gives nothing.
  }
}
class OfAlerts extends KeyedMap<string, Alert, Alert> {
  override map(alert: Alert): Alert {
    return alert;
  }
}
class OfNumbers extends KeyedFilter<string, number> {
  override filter(value: number): boolean {
    return value > 0;
  }
}

export function sinks(streams: StreamBuilder): void {
  const readings = streams.source('readings', READINGS);
  readings.sink('same', READINGS);
  readings.sink('wider', topic('wider', { key: utf8, value: json<{ readonly id: string }>() }));
  readings.map((reading): Alert => ({ id: reading.id })).sink('alerts', ALERTS);
  // @ts-expect-error a reading is no number
  readings.sink('numbers', topic('numbers', { key: utf8, value: float64 }));
  // @ts-expect-error the key is text
  readings.sink('by number', topic('by-number', { key: int64, value: json<Reading>() }));
  // @ts-expect-error the key is text, also behind a map
  readings.map((reading) => reading.temperature).sink('bytes', topic('bytes', { key: bytes, value: float64 }));
  const jumps = readings.keyBy(utf8, (reading) => reading.id, BY_KEY).flatMap('jump', () => new Jump());
  jumps.sink('alerts', ALERTS);
  // @ts-expect-error an alert has no temperature
  jumps.sink('readings', READINGS);
  // @ts-expect-error the key that keyBy gave is text
  jumps.sink('by flag', topic('flags', { key: boolean, value: json<Alert>() }));
}

export function functions(streams: StreamBuilder): void {
  const readings = streams.source('readings', READINGS);
  // @ts-expect-error there is no such field
  readings.filter((reading) => reading.humidity > 1);
  // @ts-expect-error a filter answers true or false
  readings.filter((reading) => reading.temperature);
  readings.flatMap<Alert>((reading, out) => out.collect({ id: reading.id }));
  // @ts-expect-error a number is no alert
  readings.flatMap<Alert>((reading, out) => out.collect(reading.temperature));
  const hot = readings.filter((reading): reading is Reading & { readonly temperature: 100 } => reading.temperature === 100);
  hot.map((reading): 100 => reading.temperature);
}

export function keyed(streams: StreamBuilder): void {
  const readings = streams.source('readings', READINGS);
  // @ts-expect-error the selector gives a number, and the codec takes text
  readings.keyBy(utf8, (reading) => reading.temperature, BY_KEY);
  readings.keyBy(utf8, (reading) => reading.id);
  readings.map((reading): Alert => reading).keyBy(utf8, (alert) => alert.id, { value: json<Alert>() });
  // @ts-expect-error a codec of readings does not carry alerts
  readings.map((reading): Alert => reading).keyBy(utf8, (alert) => alert.id, { value: json<Reading>() });
  // @ts-expect-error a codec of alerts does not give readings back
  readings.keyBy(utf8, (reading) => reading.id, { value: json<Alert>() });
  // @ts-expect-error another stream has other values
  readings.union(streams.source('alerts', ALERTS));
  readings.union(streams.source('more', READINGS)).sink('same', READINGS);
  // @ts-expect-error no such partitioner
  readings.keyBy(utf8, (reading) => reading.id, { alreadyPartitioned: { partitioner: 'murmur3' } });
  const byId = readings.keyBy(utf8, (reading) => reading.id, BY_KEY);
  byId.flatMap('jump', () => new Jump());
  // @ts-expect-error a function of alerts does not take readings
  byId.map('map', () => new OfAlertsWithName());
  // @ts-expect-error a function of numbers does not take readings
  byId.filter('filter', () => new OfNumbers());
  // @ts-expect-error a map is no flatMap
  byId.flatMap('mixed', () => new OfAlerts());
  // @ts-expect-error the key is text, and the function's is a number
  byId.flatMap('by number', () => new ByNumber());
}

class OfAlertsWithName extends KeyedMap<string, Alert & { readonly name: string }, Alert> {
  override map(alert: Alert & { readonly name: string }): Alert {
    return alert;
  }
}

export function states(streams: StreamBuilder): void {
  const byId = streams.source('readings', READINGS).keyBy(utf8, (reading) => reading.id, BY_KEY);
  byId.mapWithState('mean', float64, (reading, mean, key) => ({ state: (mean ?? 0) + reading.temperature, value: key.length }));
  // @ts-expect-error the state is a number
  byId.mapWithState('text', float64, () => ({ state: 'text', value: 1 }));
  // @ts-expect-error the state may be undefined
  byId.mapWithState('unsafe', float64, (_, state) => ({ state: state + 1, value: 1 }));
  // @ts-expect-error without a value
  byId.mapWithState('none', float64, () => ({ state: 1 }));
  // @ts-expect-error keep is true or false
  byId.filterWithState('keep', float64, () => ({ state: 1, keep: 'yes' }));
  byId.flatMapWithState<number, Alert>('alerts', float64, (reading) => ({ state: 1, values: [{ id: reading.id }] }));
  // @ts-expect-error not alerts
  byId.flatMapWithState<number, Alert>('readings', float64, () => ({ state: 1, values: [1] }));
}

export class Handles extends KeyedFlatMap<string, Reading, Alert> {
  override open(context: KeyedContext<string>): void {
    const last = context.state(valueState('last', float64));
    last.update(1);
    // @ts-expect-error the codec is of numbers
    last.update('1');
    // @ts-expect-error there may be no value
    const value: number = last.value();
    const key: string = context.currentKey();
    // @ts-expect-error the key is text
    const number: number = context.currentKey();
    void [value, key, number];
  }
  override flatMap(): void {
    // Gives nothing.
  }
}
