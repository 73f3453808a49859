import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { type Clock, clockOf, sleep } from '@weir/core';
import { checkOptions } from '../options.js';
import { KafkaJsWire } from './kafkajs-wire.js';
import { ANY_NODE, APIS, TRANSACTION_CALLS, type Wire } from './wire.js';

const clock = clockOf(globalThis);

interface Request {
  readonly socket: Socket;
  readonly api: number;
  readonly correlationId: Buffer;
  readonly connection: number;
}

/** A broker that answers ApiVersions and leaves everything else to the spec. */
class Broker {
  readonly requests: Request[] = [];
  connections = 0;
  /** Highest version of each api that it says it speaks. */
  highest = 99;
  onRequest: (request: Request) => void = () => {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  #accept(socket: Socket): void {
    const connection = this.connections++;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + frame.length);
        const request = { socket, api: frame.readInt16BE(0), correlationId: frame.subarray(4, 8), connection };
        if (request.api === APIS.apiVersions.key) this.answer(request, this.#versions());
        else {
          this.requests.push(request);
          this.onRequest(request);
        }
      }
    });
  }

  #versions(): Buffer {
    const out = Buffer.alloc(2 + 4 + 70 * 6);
    out.writeInt32BE(70, 2);
    for (let key = 0; key < 70; key++) {
      out.writeInt16BE(key, 6 + key * 6);
      out.writeInt16BE(this.highest, 10 + key * 6);
    }
    return out;
  }

  /** From now on it accepts connections, and says nothing: as a process that is stopped. */
  hang(): void {
    this.answer = () => undefined;
  }

  answer({ socket, correlationId }: Request, body: Buffer): void {
    const size = Buffer.alloc(4);
    size.writeInt32BE(4 + body.length);
    socket.write(Buffer.concat([size, correlationId, body]));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.port;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let broker: Broker;
let wire: Wire;

beforeEach(async () => {
  broker = new Broker();
  const port = await broker.listen();
  wire = new KafkaJsWire(checkOptions({ brokers: [`127.0.0.1:${port}`], requestTimeoutMs: 1_000 }), 'spec', clock);
  wire.learn([{ node: 1, host: '127.0.0.1', port }]);
});
afterEach(async () => {
  await wire.close();
  await broker.end();
});

const BODY = [Buffer.from('body')];
const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'it was answered',
    (thrown: unknown) => thrown,
  );

describe('the wire', () => {
  it('gives each request its own answer, also when several are under way on one connection', async () => {
    broker.onRequest = () => {
      if (broker.requests.length < 3) return;
      broker.requests.forEach((request, i) => broker.answer(request, Buffer.from(`answer ${i}`)));
    };
    const answers = await Promise.all([1, 2, 3].map(() => wire.send(1, 'control', APIS.produce, BODY)));
    expect(answers.map(String)).toEqual(['answer 0', 'answer 1', 'answer 2']);
    expect(broker.connections).toBe(1);
  });

  it('skips the tagged fields in the head of a flexible answer', async () => {
    broker.onRequest = (request) => broker.answer(request, Buffer.from([1, 5, 2, 0xaa, 0xbb, 0x42]));
    expect(await wire.send(1, 'control', APIS.metadata, BODY)).toEqual(Buffer.from([0x42]));
  });

  it('has a connection for each role, so that a held fetch delays nothing else', async () => {
    broker.onRequest = (request) => {
      if (request.api !== APIS.fetch.key) broker.answer(request, Buffer.from('done'));
    };
    void refusal(wire.send(1, 'fetch-0', APIS.fetch, BODY));
    expect(String(await wire.send(1, 'produce-0', APIS.produce, BODY))).toBe('done');
    expect(String(await wire.send(ANY_NODE, 'control', APIS.endTxn, BODY))).toBe('done');
    expect(new Set(broker.requests.map(({ connection }) => connection)).size).toBe(3);
  });

  it('says that nothing was sent when the broker cannot be reached', async () => {
    await broker.end();
    expect(await refusal(wire.send(1, 'control', APIS.produce, BODY))).toMatchObject({ kind: 'retry', code: 'KAFKA_UNREACHABLE' });
    expect(await refusal(wire.send(7, 'control', APIS.produce, BODY))).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  it('says that the answer was lost when the connection ends behind the request, and opens another for the next', async () => {
    broker.onRequest = ({ socket }) => socket.destroy();
    expect(await refusal(wire.send(1, 'control', APIS.endTxn, BODY))).toMatchObject({ kind: 'retry', code: 'KAFKA_REPLY_LOST' });
    broker.onRequest = (request) => broker.answer(request, Buffer.from('done'));
    expect(String(await wire.send(1, 'control', APIS.endTxn, BODY))).toBe('done');
  });

  it('takes a connection down whose answer does not come in time: a late answer meets no later request', async () => {
    const late = refusal(wire.send(1, 'control', APIS.produce, BODY, 20));
    const behind = refusal(wire.send(1, 'control', APIS.produce, BODY));
    expect(await late).toMatchObject({ code: 'KAFKA_REPLY_LOST' });
    expect(await behind).toMatchObject({ code: 'KAFKA_REPLY_LOST' });
    const [first] = broker.requests;
    broker.answer(first!, Buffer.from('late'));
    broker.onRequest = (request) => broker.answer(request, Buffer.from('fresh'));
    expect(String(await wire.send(1, 'control', APIS.produce, BODY))).toBe('fresh');
    expect(broker.requests.at(-1)!.connection).not.toBe(first!.connection);
  });

  it('rejects what is under way when it is closed, and everything after it', async () => {
    const held = refusal(wire.send(1, 'fetch-0', APIS.fetch, BODY));
    while (broker.requests.length === 0) await sleep(clock, 1);
    await wire.close();
    expect(await held).toMatchObject({ code: 'KAFKA_REPLY_LOST' });
    expect(await refusal(wire.send(1, 'control', APIS.produce, BODY))).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  });

  it('refuses a broker that is too old, and says what it lacks', async () => {
    broker.highest = 7;
    expect(await refusal(wire.send(1, 'control', APIS.metadata, BODY))).toMatchObject({
      kind: 'invalid',
      code: 'KAFKA_BROKER_UNSUPPORTED',
      message: expect.stringMatching(/Kafka 3\.9/),
    });
  });

  it('refuses to go on when the broker speaks no TLS and TLS was asked for', async () => {
    await wire.close();
    const port = await new Promise<number>((resolve) => {
      const plain = createServer((socket) => {
        socket.on('error', () => {});
        socket.end('this is no TLS');
      }).listen(0, '127.0.0.1', () => resolve((plain.address() as AddressInfo).port));
      plain.unref();
    });
    wire = new KafkaJsWire(checkOptions({ brokers: [`127.0.0.1:${port}`], ssl: true }), 'spec', clock);
    expect(await refusal(wire.send(ANY_NODE, 'control', APIS.metadata, BODY))).toMatchObject({
      kind: 'invalid',
      code: 'KAFKA_CLIENT_REFUSED',
    });
  });

  it.each(['hangs', 'is gone'] as const)('goes on to the next broker when the first of the list %s, and stays there', async (trouble) => {
    await wire.close();
    const first = new Broker();
    const port = await first.listen();
    if (trouble === 'hangs') first.hang();
    else await first.end();
    wire = new KafkaJsWire(checkOptions({ brokers: [`127.0.0.1:${port}`, `127.0.0.1:${broker.port}`], requestTimeoutMs: 1_000 }), 'spec', clock);
    broker.onRequest = (request) => broker.answer(request, Buffer.from('done'));
    for (let i = 0; i < 3; i++) expect(String(await wire.send(ANY_NODE, 'control', APIS.findCoordinator, BODY))).toBe('done');
    expect(first.connections).toBe(trouble === 'hangs' ? 1 : 0);
    if (trouble === 'hangs') await first.end();
  });

  it('waits for what carries records as long as the options say, and for anything else 10 seconds at most', async () => {
    await wire.close();
    const waits: number[] = [];
    const noting: Clock = { ...clock, after: (ms, run) => (waits.push(ms), clock.after(ms, run)) };
    wire = new KafkaJsWire(checkOptions({ brokers: [`127.0.0.1:${broker.port}`], requestTimeoutMs: 40_000 }), 'spec', noting);
    broker.onRequest = (request) => broker.answer(request, Buffer.from('done'));
    await wire.send(ANY_NODE, 'control', APIS.findCoordinator, BODY);
    expect(Math.max(...waits)).toBe(10_000); // for ApiVersions, too
    for (const [api, expected] of [[APIS.endTxn, 10_000], [APIS.produce, 40_000], [TRANSACTION_CALLS[2].produce, 40_000]] as const) {
      waits.length = 0;
      broker.onRequest = (request) => broker.answer(request, Buffer.from([0, 1]));
      await wire.send(ANY_NODE, 'control', api, BODY);
      expect(waits).toEqual([expected]);
    }
  });

  it('plans no timer while nothing waits: kafkajs would wake up every millisecond', async () => {
    broker.onRequest = (request) => broker.answer(request, Buffer.from('done'));
    await wire.send(1, 'control', APIS.produce, BODY);
    let planned = 0;
    const hook = createHook({ init: (_id, type) => void (type === 'Timeout' && planned++) }).enable();
    for (let i = 0; i < 10; i++) await sleep(clock, 5);
    hook.disable();
    expect(planned).toBe(10); // the spec's own
  });
});
