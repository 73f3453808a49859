import type { Telemetry, TelemetryEvent } from '@weir/core';

type EventOf<T extends TelemetryEvent['type']> = Extract<TelemetryEvent, { readonly type: T }>;

/** A Telemetry that keeps what it was told, in order. */
export class RecordingTelemetry implements Telemetry {
  readonly events: TelemetryEvent[] = [];

  emit(event: TelemetryEvent): void {
    this.events.push(event);
  }

  /** Events of one type. */
  of<T extends TelemetryEvent['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  last<T extends TelemetryEvent['type']>(type: T): EventOf<T> | undefined {
    return this.of(type).at(-1);
  }

  clear(): void {
    this.events.length = 0;
  }
}
