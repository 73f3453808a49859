import { defineErrors, error } from '@weir/core';

/** Every error that @weir/nest throws by itself. All are `invalid`: an option, a decorator or a call is wrong; trying again cannot help. */
export const nestErrors = defineErrors({
  optionUnknown: error({
    code: 'NEST_OPTION_UNKNOWN',
    kind: 'invalid',
    message: (c: { option: string; allowed: readonly string[] }) =>
      `StreamModule was given the option ${c.option}, which does not exist. Allowed: ${c.allowed.join(', ')}.`,
    advice: 'Correct the name, or leave the option out.',
    example: { option: 'paralelism', allowed: ['applicationId', 'parallelism'] },
  }),
  optionWrong: error({
    code: 'NEST_OPTION_WRONG',
    kind: 'invalid',
    message: (c: { option: string; expected: string; actual: string }) =>
      `The option ${c.option} takes ${c.expected}, and ${c.actual} came.`,
    advice: 'Correct the value where StreamModule or @StreamJob is given it.',
    example: { option: 'shutdownTimeoutMs', expected: 'milliseconds from 100 to 600000', actual: '"soon"' },
  }),
  asyncHttpTooLate: error({
    code: 'NEST_HTTP_TOO_LATE',
    kind: 'invalid',
    message: (c: { option: string }) =>
      `The options made for StreamModule.forRootAsync contain ${c.option}, but routes are fixed before options are made; ` +
      'of http, only token may come from there.',
    advice: 'Give it beside useFactory instead: forRootAsync({ useFactory, http: ... }).',
    example: { option: 'http.prefix' },
  }),
  asyncSourceWrong: error({
    code: 'NEST_ASYNC_SOURCE_WRONG',
    kind: 'invalid',
    message: (c: { given: readonly string[] }) =>
      `StreamModule.forRootAsync takes exactly one of useFactory, useClass and useExisting, ` +
      `and ${c.given.length === 0 ? 'none' : c.given.join(' and ')} came.`,
    advice: 'Keep the one that makes the options.',
    example: { given: ['useFactory', 'useClass'] },
  }),
  moduleTwice: error({
    code: 'NEST_MODULE_TWICE',
    kind: 'invalid',
    message: (c: { count: number }) => `StreamModule is configured ${c.count} times in one application; each would run every job.`,
    advice: 'Call forRoot or forRootAsync once, in the root module; give a job its own settings by @StreamJob({ name, settings }).',
    example: { count: 2 },
  }),
  jobNotProvided: error({
    code: 'NEST_JOB_NOT_PROVIDED',
    kind: 'invalid',
    message: (c: { classes: readonly string[] }) =>
      `There is no job to run: ${c.classes.join(', ')} carry @StreamJob, ` +
      'but no module of this application lists any of them among its providers.',
    advice: 'Add the job class to the providers of a module that the application imports.',
    example: { classes: ['TemperatureAlertsJob'] },
  }),
  defineMissing: error({
    code: 'NEST_DEFINE_MISSING',
    kind: 'invalid',
    message: (c: { className: string; actual: string }) =>
      `The class ${c.className} carries @StreamJob, which asks for a method define(streams), and its define is ${c.actual}.`,
    advice: 'Let the class implement JobDefinition.',
    example: { className: 'TemperatureAlertsJob', actual: 'missing' },
  }),
  jobNotSingleton: error({
    code: 'NEST_JOB_NOT_SINGLETON',
    kind: 'invalid',
    message: (c: { className: string; scope: string }) =>
      `The job class ${c.className} is ${c.scope}, but a job lives as long as its process and needs the default scope.`,
    advice: 'Remove the scope from the class, or the request-scoped provider from its dependencies.',
    example: { className: 'TemperatureAlertsJob', scope: 'request-scoped' },
  }),
  jobNameTwice: error({
    code: 'NEST_JOB_NAME_TWICE',
    kind: 'invalid',
    message: (c: { name: string; classes: readonly string[] }) =>
      `The job name "${c.name}" is taken by ${c.classes.length} providers: ${c.classes.join(', ')}.`,
    advice: 'Give each @StreamJob a name of its own, and list a job class in one module only.',
    example: { name: 'temperature-alerts', classes: ['TemperatureAlertsJob', 'AlertsJob'] },
  }),
  applicationIdTwice: error({
    code: 'NEST_APPLICATION_ID_TWICE',
    kind: 'invalid',
    message: (c: { applicationId: string; jobs: readonly string[] }) =>
      `The jobs ${c.jobs.join(', ')} share the applicationId "${c.applicationId}", ` +
      'which names consumer group, transactional ids and internal topics: they would fence each other.',
    advice: 'Give each job its own: @StreamJob({ name, settings: { applicationId } }).',
    example: { applicationId: 'alerts', jobs: ['temperature-alerts', 'humidity-alerts'] },
  }),
  injectOutsideDefine: error({
    code: 'NEST_INJECT_OUTSIDE_DEFINE',
    kind: 'invalid',
    message: (c: { className: string }) =>
      `inject(${c.className}) was called outside of a job's define, where it cannot know whose dependencies to use.`,
    advice: 'Call it inside define, in place of the factory: .flatMap(name, inject(TheFunction)).',
    example: { className: 'TemperatureChangeAlert' },
  }),
  injectUnresolved: error({
    code: 'NEST_INJECT_UNRESOLVED',
    kind: 'invalid',
    message: (c: { className: string; job: string }) =>
      `The dependencies of ${c.className}, which the job "${c.job}" injects, cannot be resolved.`,
    advice: "Make them available to the module that provides the job; Nest's own words are the cause.",
    example: { className: 'TemperatureChangeAlert', job: 'temperature-alerts' },
  }),
  injectTooEarly: error({
    code: 'NEST_INJECT_TOO_EARLY',
    kind: 'invalid',
    message: (c: { className: string; job: string }) =>
      `The factory made by inject(${c.className}) in the job "${c.job}" was called before the job started, ` +
      'when its dependencies were not resolved yet.',
    advice: 'Hand the factory to an operator and do not call it in define.',
    example: { className: 'TemperatureChangeAlert', job: 'temperature-alerts' },
  }),
  startAfterStop: error({
    code: 'NEST_START_AFTER_STOP',
    kind: 'invalid',
    message: (c: { state: string }) => `The jobs were to be started, but they are ${c.state} already; a job runs once per process.`,
    advice: 'Start the process anew.',
    example: { state: 'STOPPED' },
  }),
});
