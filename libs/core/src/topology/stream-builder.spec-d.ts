import { boolean, bytes, float64, int64, json, utf8 } from '../codec/primitives.js';
import { valueState } from '../state/descriptors.js';
import { broadcastState, operatorListState } from '../state/operator-state.js';
import { CoMap, KeyedCoFlatMap, KeyedCoMap, KeyedCoProcess } from './co-functions.js';
import {
  type Collector,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type KeyedContext,
  KeyedFilter,
  KeyedFlatMap,
  KeyedMap,
  KeyedProcess,
  type OperatorContext,
  OutputTag,
  ProcessFunction,
} from './functions.js';
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
  // @ts-expect-error what takes readings does not take all that has an id
  readings.map((reading): Alert => reading).keyBy(utf8, ({ id }) => id, BY_KEY).flatMap('narrower', () => new Jump());
  // @ts-expect-error a keyed function needs keys
  readings.process('keyed', () => new (class extends KeyedProcess<string, Reading, Alert> {
    override process(): void {
      // Gives nothing.
    }
  })());
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

class Joined extends KeyedCoFlatMap<string, Reading, Alert, Alert> {
  override flatMap1(reading: Reading, out: Collector<Alert>): void {
    out.collect({ id: reading.id });
    // @ts-expect-error an alert has no such field
    out.collect({ name: reading.id });
  }
  override flatMap2(alert: Alert, out: Collector<Alert>): void {
    out.collect(alert);
  }
}
class JoinedByNumber extends KeyedCoMap<number, Reading, Alert, Alert> {
  override map1(reading: Reading): Alert {
    return reading;
  }
  override map2(alert: Alert): Alert {
    return alert;
  }
}
class JoinedOtherwise extends KeyedCoMap<string, number, Alert, Alert> {
  override map1(): Alert {
    return { id: '' };
  }
  override map2(alert: Alert): Alert {
    return alert;
  }
}
class Sorted extends KeyedCoProcess<string, Reading, Alert, Alert> {
  override process1(): void {
    // Gives nothing.
  }
  override process2(): void {
    // Gives nothing.
  }
  // @ts-expect-error a timer's time is a number
  override onTimer(_at: string, _out: Collector<Alert>): void {
    // Gives nothing.
  }
}
class Mixed extends CoMap<Reading, Alert, string> {
  override open(context: OperatorContext): void {
    // @ts-expect-error without a key there are no timers, nor keyed state
    void context.timerService;
  }
  override map1(reading: Reading): string {
    return reading.id;
  }
  override map2(alert: Alert): string {
    return alert.id;
  }
}
class MixedOtherwise extends CoMap<Alert, number, string> {
  override map1(alert: Alert): string {
    return alert.id;
  }
  override map2(n: number): string {
    return n.toFixed();
  }
}

export function connected(streams: StreamBuilder): void {
  const readings = streams.source('readings', READINGS);
  const alerts = streams.source('alerts', ALERTS);
  const [byId, alertsById] = [readings.keyBy(utf8, ({ id }) => id, BY_KEY), alerts.keyBy(utf8, ({ id }) => id)];
  byId.connect(alertsById).flatMap('joined', () => new Joined()).sink('alerts', ALERTS);
  // @ts-expect-error the sides are the other way round
  alertsById.connect(byId).flatMap('turned', () => new Joined());
  // @ts-expect-error the key is text, and the function's is a number
  byId.connect(alertsById).map('by number', () => new JoinedByNumber());
  // @ts-expect-error the first side is of readings
  byId.connect(alertsById).map('otherwise', () => new JoinedOtherwise());
  // @ts-expect-error a process is no flatMap
  byId.connect(alertsById).flatMap('mixed', () => new Sorted());
  // @ts-expect-error the keys of the two are of different types
  byId.connect(alerts.keyBy(float64, () => 1));
  // @ts-expect-error a keyed stream is connected with a keyed one, or with a broadcast
  byId.connect(alerts);
  // @ts-expect-error likewise a stream without keys
  readings.connect(alertsById);
  // @ts-expect-error the result is of alerts
  byId.connect(alertsById).flatMap('joined', () => new Joined()).sink('readings', READINGS);
  readings.connect(alerts).map('mixed', () => new Mixed()).sink('names', topic('names', { key: utf8, value: utf8 }));
  // @ts-expect-error the second side is of alerts
  readings.connect(alerts).map('otherwise', () => new MixedOtherwise());
  // @ts-expect-error a keyed function needs keys
  readings.connect(alerts).flatMap('keyed', () => new Joined());
}

class Checked extends KeyedBroadcastProcess<string, Reading, Alert, Alert> {
  override open(context: KeyedBroadcastContext<string>): void {
    const rules = context.broadcastState(broadcastState('rules', utf8, float64));
    rules.put('a', 1);
    // @ts-expect-error its keys are text
    rules.put(1, 1);
    // @ts-expect-error its values are numbers
    rules.put('a', 'b');
    // @ts-expect-error there may be no value
    const limit: number = rules.get('a');
    void limit;
  }
  override process(): void {
    // Gives nothing.
  }
  override processBroadcast(): void {
    // Gives nothing.
  }
}

export function broadcasts(streams: StreamBuilder): void {
  const byId = streams.source('readings', READINGS).keyBy(utf8, ({ id }) => id, BY_KEY);
  byId.connect(streams.source('alerts', ALERTS).broadcast()).process('checked', () => new Checked());
  // @ts-expect-error the broadcast is of alerts
  byId.connect(streams.source('numbers', topic('numbers', { key: utf8, value: float64 })).broadcast()).process('numbers', () => new Checked());
}

const late = new OutputTag<Alert>('late');
class Late extends ProcessFunction<Reading, string> {
  override open(context: OperatorContext): void {
    const seen = context.operatorState(operatorListState('seen', utf8));
    seen.add('a');
    // @ts-expect-error its elements are text
    seen.add(1);
    context.output(late, { id: 'a' });
    // @ts-expect-error the tag is of alerts
    context.output(late, 'a');
  }
  override process(): void {
    // Gives nothing.
  }
}

export function sideOutputs(streams: StreamBuilder): void {
  const processed = streams.source('readings', READINGS).process('late', () => new Late());
  processed.sideOutput(late).sink('late', ALERTS);
  // @ts-expect-error the side output is of alerts
  processed.sideOutput(late).sink('readings', READINGS);
  // @ts-expect-error the main output is of text
  processed.sink('alerts', ALERTS);
}
