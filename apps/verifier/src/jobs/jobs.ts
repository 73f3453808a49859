import { changelogTopic, incarnation, repartitionTopic } from '@weir/core';
import { SensorWalk } from '../generator/sensor-walk.js';
import { SiteWalk } from '../generator/site-walk.js';
import { AlertJudge } from '../judge/alert-judge.js';
import { SiteJudge } from '../judge/site-judge.js';
import type { JobUnderTest } from './job-under-test.js';

const changelog = (applicationId: string, subTopology: number): string => changelogTopic(applicationId, incarnation(0), subTopology);

const temperatureAlerts: JobUnderTest = {
  name: 'temperature-alerts',
  topics: (id) => ({ INPUT_TOPIC: `${id}-in`, OUTPUT_TOPIC: `${id}-out` }),
  layout: (id, topics) => ({
    stages: [{ changelog: changelog(id, 0), inputs: [topics['INPUT_TOPIC']!], broadcasts: [] }],
    outputs: [topics['OUTPUT_TOPIC']!],
  }),
  feed: (options) => {
    const walk = new SensorWalk(options);
    return { before: [], next: () => walk.next() };
  },
  model: (_topics, violations) => new AlertJudge(violations),
};

const siteAlarms: JobUnderTest = {
  name: 'site-alarms',
  topics: (id) => ({ INPUT_TOPIC: `${id}-in`, LIMITS_TOPIC: `${id}-limits`, ALARMS_TOPIC: `${id}-alarms`, COUNTS_TOPIC: `${id}-counts` }),
  layout: (id, topics) => ({
    stages: [
      { changelog: changelog(id, 0), inputs: [topics['INPUT_TOPIC']!], broadcasts: [topics['LIMITS_TOPIC']!] },
      { changelog: changelog(id, 1), inputs: [repartitionTopic(id, incarnation(0), 'by-site')], broadcasts: [] },
    ],
    outputs: [topics['ALARMS_TOPIC']!, topics['COUNTS_TOPIC']!],
  }),
  feed: (options, topics) => new SiteWalk(options, topics['LIMITS_TOPIC']!),
  model: (topics, violations) => new SiteJudge({ input: topics['INPUT_TOPIC']!, limits: topics['LIMITS_TOPIC']!, alarms: topics['ALARMS_TOPIC']! }, violations),
};

export const JOBS = { 'temperature-alerts': temperatureAlerts, 'site-alarms': siteAlarms } as const satisfies Record<string, JobUnderTest>;

export type JobName = keyof typeof JOBS;
export const JOB_NAMES = Object.keys(JOBS) as readonly JobName[];
