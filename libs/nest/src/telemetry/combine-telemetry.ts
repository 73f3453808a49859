import type { Telemetry, TelemetryEvent } from '@weir/core';

/** One Telemetry that passes each event to all, in their order. One that throws does not keep it from the others, nor stop a task. */
export function combineTelemetry(...all: readonly Telemetry[]): Telemetry {
  return {
    emit: (event: TelemetryEvent): void => {
      for (const one of all) {
        try {
          one.emit(event);
        } catch {
          // By the port's contract it does not throw; what it broke is its own.
        }
      }
    },
  };
}
