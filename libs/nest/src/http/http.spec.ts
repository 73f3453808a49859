import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, VersioningType } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { JobDefinition } from '@weir/core';
import { FakeHost, FakeJobs, options, RecordedLines, SteppedClock, task } from '../fake-jobs.spec-d.js';
import type { FakeJob } from '../fake-jobs.spec-d.js';
import type { StreamHttpOptions } from '../options.js';
import { StreamJob } from '../stream-job.decorator.js';
import { StreamModule } from '../stream.module.js';
import { CREATE_JOB, PROCESS_HOST, STREAM_LOGGER } from '../tokens.js';

@StreamJob({ name: 'alerts' })
class AlertsJob implements JobDefinition {
  define(): void {
    // The fake engine runs nothing.
  }
}

@Controller('orders')
class OrdersController {
  @Get()
  list(): string[] {
    return ['mine'];
  }
}

@Module({ providers: [AlertsJob], controllers: [OrdersController] })
class Jobs {}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

interface Served {
  readonly app: INestApplication;
  readonly job: FakeJob;
  readonly call: (path: string, init?: RequestInit) => Promise<Answer>;
}

const TOKEN = 'a-token-of-enough-characters';
let served: INestApplication | undefined;

/** Loopback is where specs come from; a proxy's header makes a request one from elsewhere. */
const elsewhere = (headers: Record<string, string> = {}): RequestInit => ({ headers: { 'x-forwarded-for': '10.0.0.1', ...headers } });

async function serve(http: StreamHttpOptions | false = {}, before: (app: INestApplication) => void = () => undefined): Promise<Served> {
  const jobs = new FakeJobs();
  const module = await Test.createTestingModule({ imports: [StreamModule.forRoot(options({ http, clock: new SteppedClock() })), Jobs] })
    .overrideProvider(CREATE_JOB)
    .useValue(jobs.create)
    .overrideProvider(PROCESS_HOST)
    .useValue(new FakeHost())
    .overrideProvider(STREAM_LOGGER)
    .useValue(new RecordedLines())
    .compile();
  const app = module.createNestApplication({ logger: false });
  served = app;
  before(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const call = async (path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    return { status: response.status, body, headers: response.headers };
  };
  return { app, job: jobs.made[0]!, call };
}

afterEach(async () => {
  await served?.close();
  served = undefined;
});

describe('health over HTTP', () => {
  it('is live and not ready while a job waits, and says what for', async () => {
    const { job, call } = await serve();
    job.reason = 'topic sensor-readings does not exist';
    job.tasks = [
      task(0),
      task(1, {
        status: 'INITIALIZING',
        restore: { fromLocalState: true, rebuildReason: undefined, records: 5, remaining: 2000, etaMs: 1500 },
      }),
    ];
    expect(await call('/health/live')).toMatchObject({
      status: 200,
      body: { status: 'up', jobs: [{ name: 'alerts', status: 'INITIALIZING' }] },
    });
    const { status, body } = await call('/health/ready');
    expect(status).toBe(503);
    const missing = [
      'status INITIALIZING (topic sensor-readings does not exist)',
      'task 0-1 is INITIALIZING, 2000 records left to restore, about 2 s',
    ];
    expect(body).toEqual({
      status: 'not ready',
      reason: `job alerts: ${missing.join(', ')}`,
      jobs: [{ name: 'alerts', status: 'INITIALIZING', reason: 'topic sensor-readings does not exist', missing }],
    });
  });

  it('is ready once every task runs', async () => {
    const { job, call } = await serve();
    job.moveTo('RUNNING');
    expect(await call('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ready', jobs: [{ name: 'alerts', status: 'RUNNING' }] },
    });
    job.tasks = [task(0, { status: 'CREATED' })];
    expect(await call('/health/ready')).toMatchObject({ status: 503, body: { reason: 'job alerts: task 0-0 is CREATED' } });
  });

  it('stays live while a job restarts, and is live no more once it has failed, with the reason', async () => {
    const { job, call } = await serve();
    job.moveTo('RUNNING');
    job.moveTo('RESTARTING', 'task 0-1 failed');
    expect((await call('/health/live')).status).toBe(200);
    expect((await call('/health/ready')).status).toBe(503);
    job.end({ status: 'FAILED', error: new Error('bytes "secret" at sensor-readings-0 offset 7 [RECORD_UNREADABLE]') });
    const { status, body } = await call('/health/live');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      status: 'down',
      reason: 'job alerts has FAILED: bytes "secret" at sensor-readings-0 offset 7 [RECORD_UNREADABLE]',
    });
  });

  it('answers probes from elsewhere without a token, with codes in place of texts', async () => {
    const { job, call } = await serve({ token: TOKEN });
    job.end({ status: 'FAILED', error: new Error('bytes "secret" [RECORD_UNREADABLE]') });
    const { status, body } = await call('/health/live', elsewhere());
    expect(status).toBe(503);
    expect(JSON.stringify(body)).toMatch(/RECORD_UNREADABLE; the whole reason is shown/);
    expect(JSON.stringify(body)).not.toMatch(/secret/);
    expect(JSON.stringify((await call('/health/live', elsewhere({ authorization: `Bearer ${TOKEN}` }))).body)).toMatch(/secret/);
  });

  it('is not to be cached', async () => {
    const { call } = await serve();
    expect((await call('/health/live')).headers.get('cache-control')).toBe('no-store');
  });
});

describe("jobs over HTTP, in Flink's shape", () => {
  it.each(['', '/v1'])('are listed under %s/jobs/overview with the keys that flink list requires', async (version) => {
    const { job, call } = await serve();
    job.moveTo('RUNNING');
    // As Flink's command line asks: a GET with a JSON body is what it sends, which fetch refuses; headers suffice here.
    const { status, body } = await call(`${version}/jobs/overview`, {
      headers: { 'content-type': 'application/json; charset=UTF-8', connection: 'close' },
    });
    expect(status).toBe(200);
    const { jobs } = body as { jobs: Record<string, unknown>[] };
    expect(Object.keys(body as object)).toEqual(['jobs']);
    for (const key of ['jid', 'name', 'state', 'start-time', 'end-time', 'duration', 'last-modification', 'tasks', 'pending-operators']) {
      expect(jobs[0]).toHaveProperty([key], expect.anything());
    }
    expect(jobs[0]).toMatchObject({
      name: 'alerts',
      state: 'RUNNING',
      tasks: { total: 0 },
      weir: { applicationId: 'app', checkpoints: { completed: 7 } },
    });
  });

  it.each(['', '/v1'])('have a page under %s/jobs/:jid, by id in either case', async (version) => {
    const { job, call } = await serve();
    const { id } = job.overview();
    expect(await call(`${version}/jobs/${id}`, { method: 'HEAD' })).toMatchObject({ status: 200, body: undefined });
    expect(await call(`${version}/jobs/${id}`)).toMatchObject({
      status: 200,
      body: { jid: id, timestamps: { INITIALIZING: 2000 }, plan: { type: 'STREAMING' } },
    });
    expect((await call(`${version}/jobs/${id.toUpperCase()}`)).status).toBe(200);
  });

  it.each(['', '/v1'])('have their checkpoints under %s/jobs/:jid/checkpoints, and refuse those that are not remembered', async (version) => {
    const { job, call } = await serve();
    job.tasks = [task(0)];
    job.history = [{ id: 4, outcome: 'completed', triggeredAt: 5, durationMs: 6, tasks: [] }];
    const path = `${version}/jobs/${job.overview().id}/checkpoints`;
    expect(await call(path)).toMatchObject({ status: 200, body: { counts: { completed: 7 }, history: [{ id: 4 }] } });
    const { status, body } = await call(`${path}/details/4`);
    const [vertex] = Object.keys((body as { readonly tasks: object }).tasks);
    expect([status, (await call(`${path}/details/4/subtasks/${vertex}`)).status]).toEqual([200, 200]);
    for (const unknown of [`${path}/details/3`, `${path}/details/4/subtasks/x`, `${path}/config`, `${version}/jobs/none/checkpoints`]) {
      expect(await call(unknown)).toMatchObject({ status: 404, body: { errors: [expect.stringMatching(/not found/i)] } });
    }
    expect((await call(path, { method: 'POST' })).status).toBe(404);
  });

  it.each<[string, string]>([
    ['GET', '/jobs/0123456789abcdef0123456789abcdef'],
    ['GET', '/v1/jobs/0123456789abcdef0123456789abcdef'],
    ['GET', '/v1/jobs'],
    ['PATCH', '/v1/jobs/0123456789abcdef0123456789abcdef?mode=cancel'],
    ['POST', '/v1/jobs/0123456789abcdef0123456789abcdef/savepoints'],
    ['POST', '/v1/jobs/overview'],
    ['GET', '/jobs/a/checkpoints/details/1/subtasks/2'],
  ])('refuse %s %s with errors alone in the body, or a client would take it for success', async (method, path) => {
    const { call } = await serve();
    const { status, body } = await call(path, { method });
    expect(status).toBe(404);
    expect(body).toEqual({ errors: [expect.stringMatching(/not found/i)] });
  });

  it('refuse what would change a job, instead of answering with its page', async () => {
    const { job, call } = await serve();
    const { status, body } = await call(`/v1/jobs/${job.overview().id}?mode=cancel`, { method: 'PATCH' });
    expect(status).toBe(404);
    expect(body).toEqual({ errors: [expect.stringMatching(/^Not found: PATCH .*does not offer/)] });
  });

  it("give what breaks inside as Flink's errors, too", async () => {
    const { job, call } = await serve();
    job.overview = () => {
      throw new Error('broken');
    };
    expect(await call('/jobs/overview')).toMatchObject({ status: 500, body: { errors: ['Internal server error: Error: broken'] } });
  });

  it('are shown on loopback alone where no token is configured', async () => {
    const { call } = await serve();
    const { status, body } = await call('/v1/jobs/overview', elsewhere());
    expect(status).toBe(403);
    expect(body).toEqual({ errors: [expect.stringMatching(/on loopback alone.*http\.token/)] });
  });

  it('are shown beyond loopback to the bearer of the token alone', async () => {
    const { call } = await serve({ token: TOKEN });
    const missing = await call('/jobs/overview', elsewhere());
    expect(missing).toMatchObject({ status: 401, body: { errors: [expect.stringMatching(/Authorization: Bearer/)] } });
    expect(missing.headers.get('www-authenticate')).toBe('Bearer');
    expect((await call('/jobs/overview', elsewhere({ authorization: 'Bearer nearly-the-token-but-not' }))).status).toBe(401);
    expect((await call('/jobs/overview', elsewhere({ authorization: `Bearer ${TOKEN}` }))).status).toBe(200);
    expect((await call('/jobs/overview')).status).toBe(200);
    expect((await call('/v1/jobs/x/savepoints', { method: 'POST', ...elsewhere() })).status).toBe(401);
  });
});

describe('routes within an application', () => {
  it('leave its own alone', async () => {
    const { call } = await serve();
    expect(await call('/orders')).toMatchObject({ status: 200, body: ['mine'] });
    expect(await call('/nowhere')).toMatchObject({ status: 404, body: { statusCode: 404 } });
  });

  it('lie under the prefix, and nowhere else', async () => {
    const { call } = await serve({ prefix: '/ops/streams/' });
    for (const path of ['/ops/streams/health/live', '/ops/streams/jobs/overview', '/ops/streams/v1/jobs/overview'])
      expect((await call(path)).status).toBe(200);
    for (const path of ['/health/live', '/jobs/overview', '/v1/jobs/overview'])
      expect((await call(path)).body).toMatchObject({ statusCode: 404 });
  });

  it('are none where http is false', async () => {
    const { call } = await serve(false);
    expect((await call('/health/live')).status).toBe(404);
  });

  it('stay where they are when the application versions its own', async () => {
    const { call } = await serve({}, (app) => void app.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' }));
    expect((await call('/v1/jobs/overview')).status).toBe(200);
    expect((await call('/health/live')).status).toBe(200);
  });
});
