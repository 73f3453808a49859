import { DiscoveryService } from '@nestjs/core';
import type { JobDefinition, JobSettings } from '@weir/core';
import { mustBeJobName, mustBeSettingNames } from './compile-options.js';

export interface StreamJobOptions {
  /** Name of the job: letters, digits, `.`, `_`, `-`; at most 100. */
  readonly name: string;
  /** Settings of this job alone, over those of the module. */
  readonly settings?: Partial<JobSettings> | undefined;
}

type JobClass = new (...dependencies: never[]) => JobDefinition;

const Metadata = DiscoveryService.createDecorator<StreamJobOptions>();
const decorated = new Set<Function>();

/**
 * Makes a provider class a job: the module finds it by this decorator and calls its `define` once.
 * @throws WeirError `invalid` when the class is declared with a wrong name or an unknown setting
 */
export function StreamJob(options: StreamJobOptions): (target: JobClass) => void {
  return (target) => {
    const name: unknown = options?.name;
    mustBeJobName(`@StreamJob name of ${target.name}`, name);
    const { settings } = options;
    if (settings !== undefined) mustBeSettingNames(`@StreamJob(${name}).settings`, settings);
    Metadata(Object.freeze({ name, settings: Object.freeze({ ...settings }) }))(target);
    decorated.add(target);
  };
}

/** What the decorator left on a class itself; a subclass that is not decorated is no job. */
export function streamJobOptions(target: unknown): StreamJobOptions | undefined {
  return typeof target === 'function' ? (Reflect.getOwnMetadata(Metadata.KEY, target) as StreamJobOptions | undefined) : undefined;
}

/** Every decorated class that this process has loaded, provided or not: to find the forgotten ones. */
export const decoratedClasses = (): readonly Function[] => [...decorated];
