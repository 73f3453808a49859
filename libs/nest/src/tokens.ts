import type { InjectionToken } from '@nestjs/common';

/** The compiled options: `CompiledStreamOptions`. */
export const STREAM_OPTIONS: InjectionToken = Symbol('weir: stream options');
/** Makes a job from its definition: core's `createJob`; override it in your specs. */
export const CREATE_JOB: InjectionToken = Symbol('weir: create job');
/** The process that the application runs in: `ProcessHost`. */
export const PROCESS_HOST: InjectionToken = Symbol('weir: process host');
/** Where lines are logged: `LogLines`; by default a Nest Logger named Weir. */
export const STREAM_LOGGER: InjectionToken = Symbol('weir: logger');
