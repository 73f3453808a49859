import { defineErrors, error } from '@weir/core';

/**
 * Every error that @weir/nest throws by itself. Nearly all are `invalid`: an option, a decorator or a call is wrong; trying again cannot
 * help. Those of kind `data` name the record.
 */
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
    advice:
      'Give each job its own: @StreamJob({ name, settings: { applicationId } }), or handlers: { settings } of StreamModule for handlers.',
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
  transportTooLate: error({
    code: 'NEST_TRANSPORT_TOO_LATE',
    kind: 'invalid',
    message: (c: { handlers: readonly string[] }) =>
      `StreamTransport was connected after the jobs were made, so that its handlers would not run: ${c.handlers.join(', ')}.`,
    advice: 'Call app.connectMicroservice({ strategy: app.get(StreamTransport) }) before app.init() and app.listen().',
    example: { handlers: ['TemperatureController.onReading'] },
  }),
  handlerUnsupported: error({
    code: 'NEST_HANDLER_UNSUPPORTED',
    kind: 'invalid',
    message: (c: { handler: string; problem: string; advice: string }) => `The handler ${c.handler} cannot run in a task: ${c.problem}.`,
    advice: (c) => c.advice,
    example: {
      handler: 'TemperatureController.onReading',
      problem: '@UseGuards(AuthGuard) is bound to it',
      advice: 'Check the record in the handler.',
    },
  }),
  handlerWithoutPattern: error({
    code: 'NEST_HANDLER_WITHOUT_PATTERN',
    kind: 'invalid',
    message: (c: { handler: string }) =>
      `The handler ${c.handler} carries @StreamHandler, and no @EventPattern that says which topic it reads.`,
    advice: 'Write @EventPattern(topic) above @StreamHandler.',
    example: { handler: 'TemperatureController.onReading' },
  }),
  handlerOnSeveralTransports: error({
    code: 'NEST_HANDLER_ON_SEVERAL_TRANSPORTS',
    kind: 'invalid',
    message: (c: { handler: string; transports: readonly string[] }) =>
      `The handler ${c.handler} carries @StreamHandler, and Nest offers it to ${c.transports.join(' and ')} as well.`,
    advice:
      'Name the one that is meant: @EventPattern(topic, STREAM_TRANSPORT). ' +
      'A strategy of your own without a transportId is offered every handler: give it one.',
    example: { handler: 'TemperatureController.onReading', transports: ['ServerKafka'] },
  }),
  handlerUnanswered: error({
    code: 'NEST_HANDLER_UNANSWERED',
    kind: 'invalid',
    message: (c: { handler: string; decorator: string; problem: string; advice: string }) =>
      `${c.handler} carries ${c.decorator} and is offered to StreamTransport: ${c.problem}.`,
    advice: (c) => c.advice,
    example: {
      handler: 'SumController.sum',
      decorator: '@MessagePattern',
      problem: 'a log has no replies',
      advice: 'Name the transport that answers: @MessagePattern(pattern, Transport.TCP).',
    },
  }),
  handlersDiffer: error({
    code: 'NEST_HANDLERS_DIFFER',
    kind: 'invalid',
    message: (c: { topic: string; option: string; handlers: readonly string[]; values: readonly string[] }) =>
      `The handlers ${c.handlers.join(' and ')} read the topic ${c.topic} together, and differ in ${c.option}: ${c.values.join(' and ')}.`,
    advice: 'Give both the same; a value that only one of them understands is for that one to decode.',
    example: { topic: 'sensor-readings', option: 'key', handlers: ['A.on', 'B.on'], values: ['utf8 version 1', 'bytes version 1'] },
  }),
  handlerResult: error({
    code: 'NEST_HANDLER_RESULT',
    kind: 'invalid',
    message: (c: { handler: string; topic: string; partition: number; offset: number; problem: string; advice: string }) =>
      `The handler ${c.handler} returned ${c.problem}, at the record of ${c.topic} partition ${c.partition} at offset ${c.offset}.`,
    advice: (c) => c.advice,
    example: {
      handler: 'TemperatureController.onReading',
      topic: 'sensor-readings',
      partition: 2,
      offset: 17,
      problem: 'a promise',
      advice: 'Return the value itself.',
    },
  }),
  keyMissing: error({
    code: 'NEST_KEY_MISSING',
    kind: 'data',
    message: (c: { handlers: readonly string[]; topic: string; partition: number; offset: number }) =>
      `${c.handlers.join(' and ')} keep state by the keys of records, ` +
      `and the record of ${c.topic} partition ${c.partition} at offset ${c.offset} has none.`,
    advice: 'Produce records with a key; or key the stream by a part of the value, in a job with keyBy.',
    example: { handlers: ['TemperatureController.onReading'], topic: 'sensor-readings', partition: 2, offset: 17 },
  }),
  keyUndecodable: error({
    code: 'NEST_KEY_UNDECODABLE',
    kind: 'data',
    message: (c: { topic: string; partition: number; offset: number; codec: string; problem: string; bytes: string }) =>
      `Cannot decode the key of the record of ${c.topic} partition ${c.partition} at offset ${c.offset} as ${c.codec}: ${c.problem}. ` +
      `It begins with the bytes (hex) ${c.bytes}.`,
    advice: 'Correct the producer, or give the handlers of this topic the codec of its keys.',
    example: { topic: 'sensor-readings', partition: 2, offset: 17, codec: 'utf8', problem: 'bytes that are not UTF-8', bytes: 'fffe8001' },
  }),
  stateUndeclared: error({
    code: 'NEST_STATE_UNDECLARED',
    kind: 'invalid',
    message: (c: { handler: string; state: string; declared: string }) =>
      `The handler ${c.handler} asked its context for the state "${c.state}", ` +
      `which its @StreamHandler does not list. Listed: ${c.declared}.`,
    advice: 'List the descriptor by `state`, and ask with that very object: keep it in a constant.',
    example: { handler: 'TemperatureController.onReading', state: 'last', declared: 'count' },
  }),
  contextOutsideCall: error({
    code: 'NEST_CONTEXT_OUTSIDE_CALL',
    kind: 'invalid',
    message: (c: { handler: string; asked: string }) =>
      `The context of the handler ${c.handler} was asked for its ${c.asked} when the call had returned, so that there is no record.`,
    advice: 'Take out what is to be kept while the handler runs.',
    example: { handler: 'TemperatureController.onReading', asked: 'key' },
  }),
  startAfterStop: error({
    code: 'NEST_START_AFTER_STOP',
    kind: 'invalid',
    message: (c: { state: string }) => `The jobs were to be started, but they are ${c.state} already; a job runs once per process.`,
    advice: 'Start the process anew.',
    example: { state: 'STOPPED' },
  }),
});
