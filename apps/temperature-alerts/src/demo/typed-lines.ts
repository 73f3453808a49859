import { createServer, type Server, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { ByteWriter, encodeToBuffer, utf8 } from '@weir/core';
import { type SensorReading, sensorReadingCsv } from '../sensor-reading.js';

/** Lines `id,timestamp,temperature` from people: on standard input, and from whoever connects to a TCP port on loopback. */
export const LINES_PORT = 7777;
/** Lines kept until the feed takes them; a sender that is faster waits. */
const WAITING_LIMIT = 10_000;

export class TypedLines {
  readonly #waiting: SensorReading[] = [];
  readonly #interfaces = new Set<Interface>();
  readonly #sockets = new Set<Socket>();
  readonly #scratch = new ByteWriter();
  #server: Server | undefined;

  constructor(private readonly say: (line: string) => void) {}

  /** Reads a stream's lines; what is no reading is said, and nothing else happens. */
  read(input: NodeJS.ReadableStream, origin: string): void {
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    this.#interfaces.add(lines);
    lines.on('line', (line) => {
      if (line.trim() !== '') this.#take(line.trim(), origin);
      if (this.#waiting.length >= WAITING_LIMIT) lines.pause();
    });
    lines.on('close', () => this.#interfaces.delete(lines));
  }

  #take(line: string, origin: string): void {
    const bytes = encodeToBuffer(utf8, line, this.#scratch);
    try {
      this.#waiting.push(sensorReadingCsv.decode(bytes, 0, bytes.length));
    } catch (error) {
      this.say(`${origin}: ${JSON.stringify(line)} is no reading: ${(error as Error).message}`);
    }
  }

  /** Listens on loopback. @returns whether the port was free */
  listen(port: number): Promise<boolean> {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      this.read(socket, `TCP ${port}`);
    });
    this.#server = server;
    return new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
  }

  /** Everything typed since the last call. */
  next(): SensorReading[] {
    const taken = this.#waiting.splice(0);
    for (const lines of this.#interfaces) lines.resume();
    return taken;
  }

  close(): void {
    for (const lines of this.#interfaces) lines.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }
}
