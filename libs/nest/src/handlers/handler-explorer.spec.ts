import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  createParamDecorator,
  Inject,
  Injectable,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import type { CanActivate, ExceptionFilter, INestApplication, NestInterceptor, PipeTransform, Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { bytes, json, topic, utf8, valueState } from '@weir/core';
import type { Observable } from 'rxjs';
import { options } from '../fake-jobs.spec-d.js';
import { StreamModule } from '../stream.module.js';
import { StreamRunner } from '../stream-runner.js';
import { StreamTransport } from '../stream-transport.js';
import { HandlerRig } from './handler-rig.spec-d.js';
import type { RigOptions } from './handler-rig.spec-d.js';
import { STREAM_TRANSPORT, StreamHandler } from './stream-handler.decorator.js';

const OUT = topic('out', { key: utf8, value: json<string>() });
const form = { key: utf8, value: json<string>(), to: OUT };
const COUNT = valueState('count', json<number>());

@Injectable()
class AuthGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class TimingInterceptor implements NestInterceptor {
  intercept(_: unknown, next: { handle(): Observable<unknown> }): Observable<unknown> {
    return next.handle();
  }
}

@Injectable()
class TrimPipe implements PipeTransform<string> {
  transform(value: string): string {
    return value.trim();
  }
}

@Catch()
class AllFilter implements ExceptionFilter {
  catch(): void {
    // Never called.
  }
}

/** Another transport, which takes whatever it is offered. */
class OtherTransport {
  readonly offered: string[] = [];

  constructor(readonly transportId?: symbol) {}

  addHandler(pattern: string): void {
    this.offered.push(pattern);
  }
  listen(callback: () => void): void {
    callback();
  }
  close(): void {
    // Nothing is open.
  }
}

const topics = { in: 1, out: 1 };
const connect = (app: INestApplication): void => void app.connectMicroservice({ strategy: app.get(StreamTransport) });

/** Starts a service that must be refused, and gives the message. */
async function refusal(controller: Type<object>, more: Partial<RigOptions> = {}): Promise<string> {
  const rig = HandlerRig.of({ controllers: [controller], topics, ...more });
  const failure: unknown = await rig.startWithoutWaiting().catch((thrown: unknown) => thrown);
  await rig.close();
  return failure instanceof Error ? failure.message : 'it started';
}

/** A controller with one handler, with which nothing is wrong. */
function sample(): Type<object> {
  @Controller()
  class Sample {
    @EventPattern<string>('in')
    @StreamHandler(form)
    on(value: string): string {
      return value;
    }
  }
  return Sample;
}

describe('a handler that cannot run in a task is refused by name', () => {
  class Base {
    run(value: string): string {
      return value;
    }
  }

  it.each<[string, MethodDecorator, RegExp]>([
    ['a guard', UseGuards(AuthGuard), /@UseGuards\(AuthGuard\) is bound to it/],
    ['an interceptor', UseInterceptors(new TimingInterceptor()), /@UseInterceptors\(TimingInterceptor\) is bound to it/],
    ['a pipe', UsePipes(TrimPipe), /@UsePipes\(TrimPipe\) is bound to it/],
    ['an exception filter', UseFilters(AllFilter), /@UseFilters\(AllFilter\) is bound to it/],
  ])('for %s of its own', async (_, bind, message) => {
    @Controller()
    class Sample extends Base {
      @bind
      @EventPattern<string>('in')
      @StreamHandler(form)
      on(value: string): string {
        return this.run(value);
      }
    }
    const text = await refusal(Sample);
    expect(text).toMatch(/The handler Sample\.on cannot run in a task.*Remove it, and do its work in the handler.*NEST_HANDLER_UNSUPPORTED/);
    expect(text).toMatch(message);
  });

  it('for a guard of its controller', async () => {
    @UseGuards(AuthGuard)
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on cannot run in a task: @UseGuards\(AuthGuard\) is bound to its controller/);
  });

  it.each<[string, ParameterDecorator, RegExp]>([
    ['a pipe', Payload(ParseIntPipe), /its parameter 0 has pipes \(ParseIntPipe\)/],
    ['a pipe on a property', Payload('n', new ParseIntPipe()), /its parameter 0 has pipes \(ParseIntPipe\)/],
    ['a decorator of its own', createParamDecorator(() => 1)(), /its parameter 0 has a decorator other than @Payload\(\) and @Ctx\(\)/],
  ])('for a parameter with %s', async (_, decorate, message) => {
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      @StreamHandler(form)
      on(@decorate value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(message);
  });

  it('for a method that is async, also where only JavaScript says so', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      // @ts-expect-error -- a promise is no result
      @StreamHandler(form)
      async on(value: string): Promise<string> {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on cannot run in a task: it is an AsyncFunction\..*synchronously/);
  });

  it('for a method whose type says that it returns a promise or an Observable', async () => {
    @Controller()
    class Promises {
      @EventPattern<string>('in')
      // @ts-expect-error -- a promise is no result
      @StreamHandler(form)
      on(value: string): Promise<string> {
        return Promise.resolve(value);
      }
    }
    expect(await refusal(Promises)).toMatch(/Promises\.on cannot run in a task: it returns a type of Promise/);
  });

  it('for a controller made per request, or that needs one', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {}
    @Controller()
    class Sample {
      constructor(@Inject(PerRequest) readonly request: PerRequest) {}

      @EventPattern<string>('in')
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample, { providers: [PerRequest] })).toMatch(/Sample\.on cannot run in a task: its controller is request-scoped/);
    @Controller({ scope: Scope.TRANSIENT })
    class Transient extends Base {
      @EventPattern<string>('in')
      @StreamHandler(form)
      on(value: string): string {
        return this.run(value);
      }
    }
    expect(await refusal(Transient)).toMatch(/Transient\.on cannot run in a task: its controller is transient/);
  });

  it.each<[string, unknown, RegExp]>([
    ['several topics', ['in', 'in2'], /it has 2 patterns/],
    ['a regular expression', /in.*/, /its pattern is .*, which is no topic/],
    ['an object', { cmd: 'in' }, /its pattern is an object with cmd, which is no topic/],
  ])('for %s as its pattern', async (_, pattern, message) => {
    @Controller()
    class Sample {
      @EventPattern<unknown>(pattern)
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(message);
  });

  it('when neither state nor results would come of it', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      @StreamHandler({ key: utf8, value: json<string>() })
      on(_value: string): void {
        // An effect on the outside, which nothing makes exactly once.
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on cannot run in a task: it has neither state nor a topic for its results/);
  });
});

describe('which transport takes a handler', () => {
  it('must be said where an application has several', async () => {
    const Sample = sample();
    const prepare = (app: INestApplication): void => {
      connect(app);
      app.connectMicroservice({ strategy: new OtherTransport(Symbol('other')) });
    };
    expect(await refusal(Sample, { prepare })).toMatch(/Sample\.on carries @StreamHandler, and Nest offers it to OtherTransport as well/);
  });

  it('is this one alone, for one that names it; others keep their handlers', async () => {
    @Controller()
    class Mixed {
      @EventPattern<string>('in', STREAM_TRANSPORT)
      @StreamHandler(form)
      mine(value: string): string {
        return value;
      }

      @EventPattern<string>('theirs')
      event(_value: string): void {
        // Of the other transport.
      }

      @MessagePattern('theirs too')
      message(value: string): string {
        return value;
      }
    }
    const other = new OtherTransport(Symbol('other'));
    const prepare = (app: INestApplication): void => {
      connect(app);
      app.connectMicroservice({ strategy: other });
    };
    const rig = await HandlerRig.start({ controllers: [Mixed], topics, prepare });
    expect(other.offered).toEqual(['theirs', 'theirs too']);
    expect(rig.overviews().map(({ name }) => name)).toEqual(['handlers']);
    await rig.close();
  });

  it('is in doubt beside one without an id, which Nest offers every handler', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in', STREAM_TRANSPORT)
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    const prepare = (app: INestApplication): void => {
      connect(app);
      app.connectMicroservice({ strategy: new OtherTransport() });
    };
    expect(await refusal(Sample, { prepare })).toMatch(/Nest offers it to OtherTransport as well.*without a transportId/);
  });

  it('cannot be another than the one that a task runs on', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in', Transport.KAFKA)
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on cannot run in a task: its pattern names another transport/);
  });

  it.each<[string, MethodDecorator]>([
    ['it alone', MessagePattern('in')],
    ['it by name', MessagePattern('in', STREAM_TRANSPORT)],
  ])('answers no request: @MessagePattern for %s is refused', async (_, pattern) => {
    @Controller()
    class Sample {
      @pattern
      sum(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.sum carries @MessagePattern and is offered to StreamTransport: .*answers nobody.*NEST_HANDLER_UNANSWERED/);
  });

  it('runs no @EventPattern without @StreamHandler, and says so where nobody else would', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      on(_value: string): void {
        // It does not say how to read the topic.
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on carries @EventPattern and is offered.*Add @StreamHandler/);
  });

  it('needs an @EventPattern', async () => {
    @Controller()
    class Sample {
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/Sample\.on carries @StreamHandler, and no @EventPattern/);
  });
});

describe('enhancers that are global', () => {
  it('are refused in a microservice, where Nest puts them around every handler', async () => {
    const rig = HandlerRig.of({ controllers: [sample()], topics });
    const module = await rig.compile();
    const app = module.createNestMicroservice({ strategy: module.get(StreamTransport), logger: false });
    app.useGlobalPipes(new TrimPipe());
    await expect(app.init()).rejects.toThrow(/Sample\.on cannot run in a task: the application has global pipes \(TrimPipe\)/);
  });

  it('are refused in a microservice also where a provider brings them', async () => {
    const rig = HandlerRig.of({ controllers: [sample()], providers: [{ provide: APP_GUARD, useClass: AuthGuard } as never], topics });
    const module = await rig.compile();
    const app = module.createNestMicroservice({ strategy: module.get(StreamTransport), logger: false });
    await expect(app.init()).rejects.toThrow(/the application has global guards \(AuthGuard\)/);
  });

  it('belong to the routes where there are some, which is said', async () => {
    const prepare = (app: INestApplication): void => {
      app.useGlobalPipes(new TrimPipe());
      connect(app);
    };
    const rig = await HandlerRig.start({ controllers: [sample()], topics, prepare });
    expect(rig.lines.lines).toContain('warn Global pipes (TrimPipe) do not run around the handlers of StreamTransport, with or without inheritAppConfig');
    await rig.close();
  });
});

describe('a transport that is not connected', () => {
  it('leaves its handlers alone, and names them', async () => {
    const rig = HandlerRig.of({ controllers: [sample()], topics, prepare: () => undefined });
    await rig.startWithoutWaiting();
    expect(rig.overviews()).toEqual([]);
    expect(rig.lines.lines).toContain('warn StreamTransport is not connected, so its handlers do not run: Sample.on');
    expect(() => connect(rig.app)).toThrow(/StreamTransport was connected after the jobs were made.*Sample\.on.*NEST_TRANSPORT_TOO_LATE/);
    await rig.close();
  });
});

describe('handlers that are forgotten', () => {
  it('are named, with what is missing', async () => {
    @Controller()
    class Forgotten {
      @EventPattern<string>('in')
      @StreamHandler(form)
      on(value: string): string {
        return value;
      }
    }
    const rig = await HandlerRig.start({ controllers: [sample()], topics });
    expect(Forgotten.name).toBe('Forgotten');
    expect(rig.lines.lines).toContain('warn Forgotten.on carries @StreamHandler, but no module lists its class among the controllers: it does not run');
    await rig.close();
  });
});

describe('handlers on one topic', () => {
  it.each<[string, object, object, RegExp]>([
    ['key', {}, { key: bytes }, /differ in key: utf8 version 1 and bytes version 1/],
    ['value', {}, { value: utf8 }, /differ in value: json version 1 and utf8 version 1/],
    ['start', {}, { start: 'latest' }, /differ in start: earliest and latest/],
    ['partitioner', { state: [COUNT] }, { state: [COUNT], partitioner: 'crc32' }, /differ in partitioner: auto and crc32/],
  ])('must agree in %s', async (_, one, other, message) => {
    const both = [{ ...form, ...one }, { ...form, ...other }] as readonly (typeof form)[];
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      @StreamHandler(both[0]!)
      one(value: string): string {
        return value;
      }

      @EventPattern<string>('in')
      @StreamHandler(both[1]!)
      other(value: string): string {
        return value;
      }
    }
    const text = await refusal(Sample);
    expect(text).toMatch(/The handlers Sample\.one and Sample\.other read the topic in together/);
    expect(text).toMatch(message);
  });

  it('need names of their own', async () => {
    @Controller()
    class Sample {
      @EventPattern<string>('in')
      @StreamHandler({ ...form, state: [COUNT], name: 'same' })
      one(value: string): string {
        return value;
      }

      @EventPattern<string>('in')
      @StreamHandler({ ...form, state: [COUNT], name: 'same' })
      other(value: string): string {
        return value;
      }
    }
    expect(await refusal(Sample)).toMatch(/two operators are named "same"/);
  });
});

describe('the job of the handlers', () => {
  it('has name and settings of its own', async () => {
    const module = { handlers: { name: 'consumers', settings: { applicationId: 'consumers-app', parallelism: 1 } } };
    const rig = HandlerRig.of({ controllers: [sample()], topics: { in: 4, out: 1 }, module });
    await rig.startWithoutWaiting();
    await rig.until(() => rig.app.get(StreamRunner).jobs.every((job) => job.isReady()));
    expect(rig.overviews().map(({ name, applicationId, parallelism }) => [name, applicationId, parallelism])).toEqual([['consumers', 'consumers-app', 1]]);
    await rig.close();
  });

  it.each<[string, object, RegExp]>([
    ['a name with a slash', { name: 'a/b' }, /handlers\.name takes letters/],
    ['a setting that does not exist', { settings: { paralelism: 2 } }, /handlers\.settings\.paralelism/],
    ['an option that does not exist', { nam: 'x' }, /handlers\.nam,/],
  ])('refuses %s', (_, handlers, message) => {
    expect(() => StreamModule.forRoot(options({ handlers }))).toThrow(message);
  });
});
