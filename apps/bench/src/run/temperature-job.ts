import type { Codec, JobDefinition } from '@weir/core';
import { THRESHOLD } from '../input/alert-digest.js';

/** What this file takes from the main job's app. */
interface MainJob {
  readonly TemperatureAlertsJob: new (settings: unknown) => JobDefinition;
}
interface MainSettings {
  readonly AlertSettings: new (inputTopic: string, outputTopic: string, inputPartitioner: string, threshold: number) => unknown;
}
interface MainCodec {
  readonly sensorReadingCsv: Codec<{ readonly id: string; readonly timestamp: number; readonly temperature: number }>;
}

const APP = new URL('../../temperature-alerts/', import.meta.url);
const load = <T>(file: string): Promise<T> => import(new URL(file, APP).href) as Promise<T>;

/**
 * The main job itself, not a copy that would drift from it. An app exports nothing, so it is loaded from where the build puts it,
 * beside this one.
 */
export async function temperatureJob(input: string, output: string): Promise<JobDefinition> {
  const { TemperatureAlertsJob } = await load<MainJob>('temperature-alerts.job.js');
  const { AlertSettings } = await load<MainSettings>('service-settings.js');
  return new TemperatureAlertsJob(new AlertSettings(input, output, 'auto', THRESHOLD));
}

/** The main job's codec of its input. */
export const sensorReadingCodec = async (): Promise<MainCodec['sensorReadingCsv']> => (await load<MainCodec>('sensor-reading.js')).sensorReadingCsv;
