import { Controller, VERSION_NEUTRAL } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { HealthRoutes } from './health.controller.js';
import { JobsRoutes } from './jobs.controller.js';

/**
 * The controllers under a prefix. Each call makes classes of its own, because Nest keeps the path with the class; two applications in one
 * process may differ in it. Routes stay out of an application's own versioning: their versions are Flink's.
 * @param prefix without slashes at its ends; empty for none
 */
export function routesUnder(prefix: string): Type<object>[] {
  const under = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
  class HealthController extends HealthRoutes {}
  class JobsController extends JobsRoutes {}
  Controller({ path: under('health'), version: VERSION_NEUTRAL })(HealthController);
  Controller({ path: [under('jobs'), under('v1/jobs')], version: VERSION_NEUTRAL })(JobsController);
  return [HealthController, JobsController];
}
