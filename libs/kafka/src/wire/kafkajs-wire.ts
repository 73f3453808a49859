import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { isWeirError, type Clock } from '@weir/core';
import { errors } from '../errors.js';
import type { KafkaSasl, KafkaSettings, KafkaTls } from '../options.js';
import { ANY_NODE, APIS, type Api, type NodeAddress, type Role, type Wire } from './wire.js';
import { ProtocolReader } from './protocol-reader.js';

/**
 * Wire on kafkajs 2.2.4: the one file that knows it. It owns sockets, TLS, SASL and framing, one connection per broker and role.
 * It does not own metadata, retries or any meaning of what is sent.
 *
 * Of kafkajs it uses the class `Connection` alone, which is not public (hence the pinned version): it connects, authenticates,
 * cuts the byte stream into answers and matches them to requests. Requests are framed here, so that large bodies are written
 * without being copied.
 *
 *   Link:  idle -> opening -> open -> idle (connection lost; the next send opens a new one)
 *            \________\_________\______-> closed
 *
 * Invariants:
 * - K1. A request is `unreachable` until its first byte was handed to the socket, and `reply lost` from then on (W2).
 * - K2. A request that has run out of time takes its connection down: answers behind it would wait as long, and a late answer must
 *   not meet a later request.
 * - K3. A connection object is used once; whatever state kafkajs leaves in it after a failure is never read again.
 */

interface KafkaJsQueue {
  readonly pending: readonly unknown[];
  push(request: { entry: Record<string, unknown>; expectResponse: boolean; requestTimeout: null; sendRequest: () => void }): void;
  scheduleCheckPendingRequests(): void;
}

interface KafkaJsConnection {
  readonly socket: Socket | undefined;
  readonly requestQueue: KafkaJsQueue;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  authenticate(): Promise<void>;
  isConnected(): boolean;
  nextCorrelationId(): number;
  rejectRequests(error: Error): void;
  setVersions(versions: Record<number, { minVersion: number; maxVersion: number }>): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
}

interface KafkaJsConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly logger: KafkaJsLogger;
  readonly socketFactory: unknown;
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly clientId: string;
  readonly ssl: KafkaTls | null;
  readonly sasl: KafkaSasl | null;
}

interface KafkaJsLogger {
  namespace(): KafkaJsLogger;
  debug(): void;
  info(): void;
  warn(): void;
  error(): void;
}

const require = createRequire(import.meta.url);
const Connection = require('kafkajs/src/network/connection') as new (options: KafkaJsConnectionOptions) => KafkaJsConnection;
const makeSocketFactory = require('kafkajs/src/network/socketFactory') as () => unknown;

// What goes wrong on a connection reaches the caller as an error; kafkajs' own lines would only say it twice.
const silent: KafkaJsLogger = { namespace: () => silent, debug: noop, info: noop, warn: noop, error: noop };
function noop(): void {}

const INT32 = 4;
/**
 * Milliseconds after which an answer of a few bytes is given up, at most: a broker that hangs accepts connections and says nothing, and what
 * is asked for may have moved to another one long ago. Those who ask try again.
 */
const BRIEF_ANSWER_MS = 10_000;
/** Calls that carry records, or whose answer waits for other brokers: they may take as long as the options say. */
const LONG_CALLS = new Set<number>([APIS.produce, APIS.fetch, APIS.createTopics, APIS.deleteTopics, APIS.deleteRecords].map(({ key }) => key));
const answerWithinMs = ({ key }: Api, requestTimeoutMs: number): number => (LONG_CALLS.has(key) ? requestTimeoutMs : Math.min(requestTimeoutMs, BRIEF_ANSWER_MS));
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;

type LinkState =
  | { readonly at: 'idle' }
  | { readonly at: 'opening'; readonly ready: Promise<KafkaJsConnection>; readonly connection: KafkaJsConnection }
  | { readonly at: 'open'; readonly connection: KafkaJsConnection }
  | { readonly at: 'closed' };

/** One connection to one broker in one role, opened when it is needed. */
class Link {
  #state: LinkState = { at: 'idle' };
  readonly #broker: string;

  constructor(
    readonly host: string,
    readonly port: number,
    private readonly settings: KafkaSettings,
    private readonly clientId: string,
    private readonly clock: Clock,
  ) {
    this.#broker = `${host}:${port}`;
  }

  get isOpen(): boolean {
    return this.#state.at === 'open' && this.#state.connection.isConnected();
  }

  async send(api: Api, body: readonly Buffer[], timeoutMs: number): Promise<Buffer> {
    const connection = this.isOpen ? (this.#state as LinkState & { at: 'open' }).connection : await this.#open(api);
    if (this.settings.sasl !== undefined) await this.#authenticate(connection, api);
    return this.#exchange(connection, api, body, timeoutMs);
  }

  #open(api: Api): Promise<KafkaJsConnection> {
    const state = this.#state;
    if (state.at === 'opening') return state.ready;
    if (state.at === 'closed') return Promise.reject(this.#unreachable(api, 'this client was closed'));
    const { settings } = this;
    const connection = new Connection({
      host: this.host,
      port: this.port,
      logger: silent,
      socketFactory: makeSocketFactory(),
      requestTimeout: settings.requestTimeoutMs,
      connectionTimeout: settings.connectionTimeoutMs,
      enforceRequestTimeout: false,
      clientId: this.clientId,
      ssl: settings.ssl === undefined || settings.ssl === false ? null : settings.ssl === true ? {} : settings.ssl,
      // A copy: kafkajs keeps its authenticator in the object it is given.
      sasl: settings.sasl === undefined ? null : { ...settings.sasl },
    });
    quieten(connection.requestQueue);
    const ready = this.#prepare(connection, api).then(
      () => {
        if (this.#state.at === 'closed') {
          this.#discard(connection, this.#unreachable(api, 'this client was closed'));
          throw this.#unreachable(api, 'this client was closed');
        }
        this.#state = { at: 'open', connection };
        return connection;
      },
      (thrown: unknown) => {
        if (this.#state.at === 'opening') this.#state = { at: 'idle' };
        const failure = this.#openingFailure(api, thrown);
        this.#discard(connection, failure);
        throw failure;
      },
    );
    this.#state = { at: 'opening', ready, connection };
    return ready;
  }

  /** Connects, asks what the broker speaks, and authenticates. kafkajs leaves its promise open when a peer hangs up while connecting. */
  async #prepare(connection: KafkaJsConnection, api: Api): Promise<void> {
    const { connectionTimeoutMs, requestTimeoutMs } = this.settings;
    await this.#within(connectionTimeoutMs + 1_000, connection.connect(), 'connecting took too long');
    const versions = await this.#exchange(connection, APIS.apiVersions, [], answerWithinMs(APIS.apiVersions, requestTimeoutMs));
    const supported = readApiVersions(versions);
    for (const needed of Object.values(APIS)) {
      const range = supported[needed.key];
      if (range === undefined || range.minVersion > needed.version || range.maxVersion < needed.version) {
        const known = range === undefined ? 'no version of it' : `${range.minVersion} to ${range.maxVersion}`;
        throw errors.brokerUnsupported({ broker: this.#broker, api: needed.name, version: needed.version, supported: known });
      }
    }
    connection.setVersions(supported);
    connection.setSupportAuthenticationProtocol(SASL_AUTHENTICATE in supported && SASL_HANDSHAKE in supported);
    if (this.settings.sasl !== undefined) {
      await this.#within(requestTimeoutMs, connection.authenticate(), `${api.name} waited too long for authentication`);
    }
  }

  #within<T>(ms: number, work: Promise<T>, problem: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(ms, () => reject(new Error(problem)));
      work.finally(cancel).then(resolve, reject);
    });
  }

  /** Renews a SASL session that is about to expire; returns at once otherwise. */
  async #authenticate(connection: KafkaJsConnection, api: Api): Promise<void> {
    try {
      await connection.authenticate();
    } catch (thrown) {
      throw this.#openingFailure(api, thrown);
    }
  }

  #exchange(connection: KafkaJsConnection, api: Api, body: readonly Buffer[], timeoutMs: number): Promise<Buffer> {
    const { socket } = connection;
    if (socket === undefined || !connection.isConnected()) return Promise.reject(this.#unreachable(api, 'not connected'));
    return new Promise<Buffer>((resolve, reject) => {
      const correlationId = connection.nextCorrelationId();
      let sent = false;
      const cancel = this.clock.after(timeoutMs, () => {
        this.#drop(connection, errors.replyLost({ api: api.name, broker: this.#broker, problem: `no answer within ${timeoutMs} ms` }));
      });
      const fail = (thrown: unknown): void => {
        cancel();
        if (isWeirError(thrown, 'data')) return reject(thrown);
        const problem = thrown instanceof Error ? thrown.message : String(thrown);
        const context = { api: api.name, broker: this.#broker, problem };
        reject(sent ? errors.replyLost(context, thrown) : errors.unreachable(context, thrown));
      };
      const succeed = ({ payload }: { payload: Buffer }): void => {
        cancel();
        try {
          resolve(api.flexible && api.plainAnswer !== true ? afterTags(api, payload) : payload);
        } catch (thrown) {
          fail(thrown);
        }
      };
      const entry = { apiKey: api.key, apiName: api.name, apiVersion: api.version, correlationId, resolve: succeed, reject: fail };
      const sendRequest = (): void => {
        sent = true; // K1
        write(socket, frame(api, correlationId, this.clientId, body), body);
      };
      try {
        connection.requestQueue.push({ entry, expectResponse: true, requestTimeout: null, sendRequest });
      } catch (thrown) {
        fail(thrown);
      }
    });
  }

  #unreachable(api: Api, problem: string, cause?: unknown): Error {
    return errors.unreachable({ api: api.name, broker: this.#broker, problem }, cause);
  }

  #openingFailure(api: Api, thrown: unknown): Error {
    const failure = thrown as { name?: string; code?: unknown; type?: string; message?: string };
    if (isWeirError(thrown, 'invalid')) return thrown;
    const problem = failure.message ?? String(thrown);
    const code = typeof failure.code === 'string' ? failure.code : '';
    const refused =
      failure.name === 'KafkaJSSASLAuthenticationError' ||
      failure.type === 'SASL_AUTHENTICATION_FAILED' ||
      failure.type === 'UNSUPPORTED_SASL_MECHANISM' ||
      /^ERR_(TLS|SSL|OSSL)|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code);
    return refused ? errors.clientRefused({ broker: this.#broker, problem }, thrown) : this.#unreachable(api, problem, thrown);
  }

  /** Takes a connection down; what is under way on it is rejected (K2). */
  #drop(connection: KafkaJsConnection, reason: Error): void {
    if (this.#state.at === 'open' && this.#state.connection === connection) this.#state = { at: 'idle' };
    this.#discard(connection, reason);
  }

  #discard(connection: KafkaJsConnection, reason: Error): void {
    connection.rejectRequests(reason);
    connection.disconnect().catch(noop);
    connection.socket?.destroy();
  }

  close(): void {
    const state = this.#state;
    this.#state = { at: 'closed' };
    if (state.at !== 'open' && state.at !== 'opening') return;
    this.#discard(state.connection, new Error('this client was closed'));
    if (state.at === 'opening') state.ready.catch(noop);
  }
}

/**
 * kafkajs looks for waiting requests after every answer, and plans to look again in -1 ms, which Node takes as 1 ms, for ever. It is
 * right to look only while something waits (the broker asked for a pause).
 */
function quieten(queue: KafkaJsQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

function frame(api: Api, correlationId: number, clientId: string, body: readonly Buffer[]): Buffer {
  const nameBytes = Buffer.byteLength(clientId, 'utf8');
  const headBytes = 2 + 2 + INT32 + 2 + nameBytes + (api.flexible ? 1 : 0);
  let bytes = headBytes;
  for (const part of body) bytes += part.length;
  const head = Buffer.allocUnsafe(INT32 + headBytes);
  let at = head.writeInt32BE(bytes, 0);
  at = head.writeInt16BE(api.key, at);
  at = head.writeInt16BE(api.version, at);
  at = head.writeInt32BE(correlationId, at);
  at = head.writeInt16BE(nameBytes, at);
  at += head.write(clientId, at, 'utf8');
  if (api.flexible) head[at] = 0;
  return head;
}

function write(socket: Socket, head: Buffer, body: readonly Buffer[]): void {
  socket.cork();
  socket.write(head);
  for (const part of body) socket.write(part);
  socket.uncork();
}

/** The body behind the tagged fields of a flexible answer's header. */
function afterTags(api: Api, payload: Buffer): Buffer {
  if (payload[0] === 0) return payload.subarray(1);
  const reader = new ProtocolReader(api, payload);
  reader.tags();
  return payload.subarray(reader.position);
}

function readApiVersions(payload: Buffer): Record<number, { minVersion: number; maxVersion: number }> {
  const reader = new ProtocolReader(APIS.apiVersions, payload);
  const error = reader.int16();
  if (error !== 0) throw reader.damaged(`error ${error}`);
  const ranges = reader.array(() => [reader.int16(), { minVersion: reader.int16(), maxVersion: reader.int16() }] as const);
  return Object.fromEntries(ranges);
}

export class KafkaJsWire implements Wire {
  readonly #settings: KafkaSettings;
  readonly #clientId: string;
  readonly #clock: Clock;
  readonly #nodes = new Map<number, NodeAddress>();
  readonly #links = new Map<string, Link>();
  #turn = 0;
  #closed = false;

  constructor(settings: KafkaSettings, clientId: string, clock: Clock) {
    this.#settings = settings;
    this.#clientId = clientId;
    this.#clock = clock;
  }

  async send(
    node: number,
    role: Role,
    api: Api,
    body: readonly Buffer[],
    timeoutMs = answerWithinMs(api, this.#settings.requestTimeoutMs),
  ): Promise<Buffer> {
    if (this.#closed) throw errors.unreachable({ api: api.name, broker: `${node}`, problem: 'this client was closed' });
    if (node === ANY_NODE) return this.#sendToAny(role, api, body, timeoutMs);
    const address = this.#nodes.get(node);
    if (address === undefined) throw errors.unreachable({ api: api.name, broker: `${node}`, problem: 'its address is not known' });
    return this.#link(address.host, address.port, role).send(api, body, timeoutMs);
  }

  /** Brokers in turn, beginning with the one that answered last; on to the next only if nothing was sent. */
  async #sendToAny(role: Role, api: Api, body: readonly Buffer[], timeoutMs: number): Promise<Buffer> {
    const candidates = [...this.#nodes.values(), ...this.#settings.brokers];
    let failure: Error | undefined;
    for (let i = 0; i < candidates.length && !this.#closed; i++) {
      const { host, port } = candidates[this.#turn % candidates.length]!;
      try {
        return await this.#link(host, port, role).send(api, body, timeoutMs);
      } catch (thrown) {
        failure = thrown as Error;
        this.#turn++;
        if (!isWeirError(thrown, 'retry') || thrown.code !== 'KAFKA_UNREACHABLE') throw thrown;
      }
    }
    throw failure ?? errors.unreachable({ api: api.name, broker: 'any', problem: 'this client was closed' });
  }

  #link(host: string, port: number, role: Role): Link {
    const name = `${host}:${port}/${role}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(host, port, this.#settings, this.#clientId, this.#clock);
      this.#links.set(name, link);
    }
    return link;
  }

  learn(nodes: readonly NodeAddress[]): void {
    for (const address of nodes) {
      const known = this.#nodes.get(address.node);
      this.#nodes.set(address.node, address);
      if (known === undefined || (known.host === address.host && known.port === address.port)) continue;
      for (const [name, link] of this.#links) {
        if (link.host !== known.host || link.port !== known.port) continue;
        link.close();
        this.#links.delete(name);
      }
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    return Promise.resolve();
  }
}
