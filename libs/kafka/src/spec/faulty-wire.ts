import { errors } from '../errors.js';
import type { Api, NodeAddress, Role, Wire } from '../wire/wire.js';

/**
 * A fault that strikes one request.
 * - `unreachable`: it is not sent.
 * - `reply lost`: it is carried out, and the answer does not come back.
 * - `late`: it is not carried out now, the answer seems lost, and a copy arrives when the spec calls `deliverLate`.
 * - an answer: it is not sent, and this is what comes back.
 * - a promise: it is sent once that is fulfilled.
 */
export type Fault = 'unreachable' | 'reply lost' | 'late' | Buffer | Promise<unknown>;

export interface SentRequest {
  readonly api: string;
  readonly node: number;
  readonly body: Buffer;
  /** What the cluster answered; undefined if it was not asked, or the answer was lost. */
  answer?: Buffer;
}

/** A wire between this library and a real cluster that specs put faults into. */
export class FaultyWire implements Wire {
  /** Every request that this library made, in order. */
  readonly requests: SentRequest[] = [];
  readonly #late: (() => Promise<Buffer>)[] = [];
  /** Decides for each request; undefined lets it pass. */
  fault: (request: SentRequest) => Fault | undefined = () => undefined;

  constructor(private readonly inner: Wire) {}

  /** Strikes the next `times` requests of an api. */
  strike(api: Pick<Api, 'name'>, fault: Fault, times = 1): void {
    let left = times;
    this.fault = (request) => (request.api === api.name && left-- > 0 ? fault : undefined);
  }

  async send(node: number, role: Role, api: Api, body: readonly Buffer[], timeoutMs?: number): Promise<Buffer> {
    const request: SentRequest = { api: api.name, node, body: Buffer.concat(body) };
    this.requests.push(request);
    const fault = this.fault(request);
    const context = { api: api.name, broker: `${node}`, problem: 'a fault of the spec' };
    if (fault === 'unreachable') throw errors.unreachable(context);
    if (Buffer.isBuffer(fault)) return fault;
    if (fault === 'late') this.#late.push(() => this.inner.send(node, 'control', api, [request.body]));
    if (fault === 'reply lost') await this.inner.send(node, role, api, body, timeoutMs);
    if (fault instanceof Promise) await fault;
    else if (fault !== undefined) throw errors.replyLost(context);
    request.answer = await this.inner.send(node, role, api, body, timeoutMs);
    return request.answer;
  }

  /** Delivers the requests that were late; returns what the log answered to them. */
  deliverLate(): Promise<Buffer[]> {
    return Promise.all(this.#late.splice(0).map((deliver) => deliver()));
  }

  count(api: Api): number {
    return this.requests.filter((request) => request.api === api.name).length;
  }

  learn(nodes: readonly NodeAddress[]): void {
    this.inner.learn(nodes);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
