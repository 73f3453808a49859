import { describe, expect, it } from '@jest/globals';
import { RecordingTelemetry } from './recording-telemetry.js';

describe('RecordingTelemetry', () => {
  it('keeps what it was told, in order, and finds events by their type', () => {
    const telemetry = new RecordingTelemetry();
    telemetry.emit({ type: 'job-notice', job: 'a', message: 'one' });
    telemetry.emit({ type: 'job-waiting', job: 'a', reason: 'topic' });
    telemetry.emit({ type: 'job-notice', job: 'a', message: 'two' });
    expect(telemetry.events.map((event) => event.type)).toEqual(['job-notice', 'job-waiting', 'job-notice']);
    expect(telemetry.of('job-notice').map((event) => event.message)).toEqual(['one', 'two']);
    expect(telemetry.last('job-notice')?.message).toBe('two');
    expect(telemetry.last('task-failed')).toBeUndefined();
    telemetry.clear();
    expect(telemetry.events).toEqual([]);
  });
});
