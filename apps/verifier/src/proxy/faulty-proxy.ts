import { createServer, connect, type Server, type Socket } from 'node:net';
import type { Clock } from '@weir/core';

/**
 * A TCP proxy before one broker, which can delay what passes, hold it up, and cut connections. How clients come to it: each broker of the
 * cluster has a second listener (PROXIED) that it advertises under the port of its proxy. A client that is given the proxies as bootstrap
 * servers so learns of nothing but proxies, for brokers name the addresses of the listener that was asked. Others (feeder, witnesses, judge,
 * and the brokers among themselves) use the first listener, and are left alone.
 *
 * Each direction of a connection is a queue of its own:
 *
 *   P1. Bytes pass in order, none twice and none left out, until the connection is cut.
 *   P2. What was held up when a connection is cut never arrives: so an answer is lost whose request was obeyed.
 *   P3. A direction that holds MOST_HELD_BYTES reads no more.
 */
export interface FaultyProxyOptions {
  /** Ports of 127.0.0.1. */
  readonly listen: number;
  readonly target: number;
  readonly clock: Clock;
}

export type Direction = 'requests' | 'answers';

const MOST_HELD_BYTES = 8 * 1024 * 1024;

export class FaultyProxy {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #weather: Weather = { delayMs: 0, heldUntil: { requests: 0, answers: 0 } };

  private constructor(private readonly options: FaultyProxyOptions) {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @throws Error of node:net if it cannot listen */
  static async start(options: FaultyProxyOptions): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen({ host: '127.0.0.1', port: options.listen }, resolve);
    });
    return proxy;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** The port on which it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on every byte arrives so much later; 0 ends it. */
  delay(ms: number): void {
    this.#weather.delayMs = ms;
  }

  /** What comes in the next `ms` in these directions arrives only after them. */
  hold(directions: readonly Direction[], ms: number): void {
    for (const direction of directions) this.#weather.heldUntil[direction] = this.options.clock.monotonic() + ms;
  }

  /** Cuts the connections that are there. @param chosen which of them. @returns how many were cut */
  cut(chosen: () => boolean = () => true): number {
    const cut = [...this.#connections].filter(chosen);
    for (const connection of cut) connection.cut();
    return cut.length;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const { clock, target } = this.options;
    const connection = new Connection(client, connect({ host: '127.0.0.1', port: target }), this.#weather, clock, () => this.#connections.delete(connection));
    this.#connections.add(connection);
  }
}

/** What is wrong with the way at present. */
interface Weather {
  delayMs: number;
  /** By the clock's monotonic time. */
  readonly heldUntil: Record<Direction, number>;
}

class Connection {
  readonly #sockets: readonly [Socket, Socket];

  constructor(client: Socket, broker: Socket, weather: Weather, clock: Clock, onClosed: () => void) {
    this.#sockets = [client, broker];
    new OneWay(client, broker, 'requests', weather, clock);
    new OneWay(broker, client, 'answers', weather, clock);
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut());
      socket.once('close', () => {
        this.cut(); // P2; a half that is closed in order is no use to Kafka's protocol
        onClosed();
      });
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

class OneWay {
  readonly #queue: { readonly chunk: Buffer; readonly due: number }[] = [];
  #held = 0;
  #isWaiting = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly direction: Direction,
    private readonly weather: Weather,
    private readonly clock: Clock,
  ) {
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    to.on('drain', () => this.#readOn());
  }

  #take(chunk: Buffer): void {
    const { delayMs, heldUntil } = this.weather;
    this.#queue.push({ chunk, due: Math.max(this.clock.monotonic() + delayMs, heldUntil[this.direction]) });
    this.#held += chunk.length;
    if (this.#held >= MOST_HELD_BYTES) this.from.pause(); // P3
    this.#pass();
  }

  /** P1: the head of the queue decides; what is due behind it waits for it. */
  #pass(): void {
    const now = this.clock.monotonic();
    for (let head = this.#queue[0]; head !== undefined && head.due <= now; head = this.#queue[0]) {
      this.#queue.shift();
      this.#held -= head.chunk.length;
      if (!this.to.destroyed && !this.to.write(head.chunk)) this.from.pause();
    }
    this.#readOn();
    const next = this.#queue[0];
    if (next === undefined || this.#isWaiting || this.to.destroyed) return;
    this.#isWaiting = true;
    this.clock.after(Math.max(1, next.due - now), () => {
      this.#isWaiting = false;
      this.#pass();
    });
  }

  #readOn(): void {
    if (this.from.isPaused() && this.#held < MOST_HELD_BYTES && !this.to.writableNeedDrain) this.from.resume();
  }
}
