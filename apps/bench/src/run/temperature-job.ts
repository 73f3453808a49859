import type { JobDefinition } from '@weir/core';
import { THRESHOLD } from '../input/alert-digest.js';

/** What this file takes from the main job's app. */
interface MainJob {
  readonly TemperatureAlertsJob: new (settings: unknown) => JobDefinition;
}
interface MainSettings {
  readonly AlertSettings: new (inputTopic: string, outputTopic: string, inputPartitioner: string, threshold: number) => unknown;
}

/**
 * The main job itself, not a copy that would drift from it. An app exports nothing, so it is loaded from where the build puts it,
 * beside this one.
 */
export async function temperatureJob(input: string, output: string): Promise<JobDefinition> {
  const app = new URL('../../temperature-alerts/', import.meta.url);
  const { TemperatureAlertsJob } = (await import(new URL('temperature-alerts.job.js', app).href)) as MainJob;
  const { AlertSettings } = (await import(new URL('service-settings.js', app).href)) as MainSettings;
  return new TemperatureAlertsJob(new AlertSettings(input, output, 'auto', THRESHOLD));
}
