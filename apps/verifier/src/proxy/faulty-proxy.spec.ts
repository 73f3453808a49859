import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { FaultyProxy } from './faulty-proxy.js';

/** A broker in small: it keeps what it got, and answers each chunk with the same in capitals. */
let broker: Server;
let got: string;
let clock: ManualClock;
let proxy: FaultyProxy;
const clients: Client[] = [];

beforeEach(async () => {
  got = '';
  broker = createServer((socket) =>
    socket
      .on('data', (chunk) => {
        got += chunk.toString();
        socket.write(chunk.toString().toUpperCase());
      })
      .on('error', () => undefined),
  );
  await new Promise<void>((resolve) => broker.listen({ host: '127.0.0.1', port: 0 }, resolve));
  clock = new ManualClock();
  proxy = await FaultyProxy.start({ listen: 0, target: (broker.address() as AddressInfo).port, clock });
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.close();
  await new Promise<unknown>((resolve) => broker.close(resolve));
});

class Client {
  said = '';
  readonly closed: Promise<unknown>;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => (this.said += chunk.toString()));
    socket.on('error', () => undefined);
    this.closed = once(socket, 'close');
  }
}

async function client(): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port: proxy.port });
  const made = new Client(socket);
  clients.push(made);
  await once(socket, 'connect');
  return made;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await wait(1);
}

/** As long as real sockets would need to bring something that nobody holds up, many times over. */
const aWhile = (): Promise<void> => wait(50);

describe('a proxy that can fail', () => {
  it('passes everything on, both ways and in order, while nothing is wrong', async () => {
    const one = await client();
    const sent = Array.from({ length: 2_000 }, (_, i) => `${i},`).join('');
    for (let at = 0; at < sent.length; at += 100) one.socket.write(sent.slice(at, at + 100));
    await until(() => one.said.length === sent.length);
    expect(got).toBe(sent);
    expect(one.said).toBe(sent);
  });

  it('lets things arrive later, never in another order', async () => {
    const one = await client();
    proxy.delay(200);
    one.socket.write('a');
    await aWhile();
    expect(got).toBe('');
    proxy.delay(0);
    one.socket.write('b');
    await aWhile();
    expect(got).toBe(''); // b is due at once, and waits for a
    await clock.advance(200);
    await until(() => one.said === 'AB');
    expect(got).toBe('ab');
  });

  it('lets nothing pass for a while, and loses nothing by it', async () => {
    const one = await client();
    proxy.hold(['requests', 'answers'], 1_000);
    one.socket.write('a');
    await aWhile();
    await clock.advance(999);
    await aWhile();
    expect(got).toBe('');
    await clock.advance(1);
    await until(() => one.said === 'A');
  });

  it('loses the answer of a request that was obeyed, when it holds answers up and then cuts', async () => {
    const one = await client();
    proxy.hold(['answers'], 1_000);
    one.socket.write('a');
    await until(() => got === 'a');
    expect(proxy.cut()).toBe(1);
    await one.closed;
    await clock.advance(2_000);
    await aWhile();
    expect(one.said).toBe('');
    const two = await client();
    two.socket.write('b');
    await until(() => two.said === 'B'); // the next connection is whole
  });

  it('cuts those that are chosen, and closes both ends of them', async () => {
    const all = [await client(), await client(), await client()];
    for (const each of all) each.socket.write('x');
    await until(() => all.every(({ said }) => said === 'X'));
    expect(proxy.connections).toBe(3);
    let i = 0;
    expect(proxy.cut(() => i++ !== 1)).toBe(2);
    await Promise.all([all[0]!.closed, all[2]!.closed]);
    await until(() => proxy.connections === 1);
    all[1]!.socket.write('y');
    await until(() => all[1]!.said === 'XY');
  });

  it('closes the client’s end where the broker is gone', async () => {
    await proxy.close();
    const gone = (broker.address() as AddressInfo).port;
    await new Promise<unknown>((resolve) => broker.close(resolve));
    proxy = await FaultyProxy.start({ listen: 0, target: gone, clock });
    const one = await client();
    await one.closed;
    expect(proxy.connections).toBe(0);
    broker = createServer();
    await new Promise<void>((resolve) => broker.listen({ host: '127.0.0.1', port: 0 }, resolve));
  });
});
