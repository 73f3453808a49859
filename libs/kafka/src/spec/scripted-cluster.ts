import { CODE } from '../wire/error-codes.js';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { errors } from '../errors.js';
import { APIS, type Api, type NodeAddress, type Role, type Wire } from '../wire/wire.js';
import type { AbortedTransaction } from '../batch/aborted-filter.js';

/** What a fetch asks of one partition. */
export interface AskedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly position: number;
  readonly lastEpoch: number;
  readonly maxBytes: number;
}

export interface FetchReply {
  readonly error?: number;
  readonly lastStable?: number;
  readonly records?: Buffer;
  readonly aborted?: readonly AbortedTransaction[];
  /** Where the log parts from what was read. */
  readonly divergesAt?: number;
}

/** A fetch that waits for its answer. */
export class HeldFetch {
  constructor(
    readonly node: number,
    readonly role: Role,
    readonly maxWaitMs: number,
    readonly partitions: readonly AskedPartition[],
    private readonly settle: { resolve: (answer: Buffer) => void; reject: (error: Error) => void },
  ) {}

  /** Answers for each partition, or for some of them; the rest is left out of the answer. */
  answer(reply: (asked: AskedPartition, index: number) => FetchReply | undefined): void {
    const out = new ProtocolWriter(APIS.fetch.flexible);
    const replies = this.partitions.map((asked, i) => ({ asked, reply: reply(asked, i) })).filter((one) => one.reply !== undefined);
    out
      .int32(0)
      .int16(CODE.NONE)
      .int32(0)
      .array(replies, ({ asked, reply: given }) => {
        const { error = CODE.NONE, lastStable = asked.position, records = Buffer.alloc(0), aborted = [], divergesAt } = given!;
        out.uuid(Buffer.from(asked.topicId, 'hex')).count(1).int32(asked.partition).int16(error).int64(lastStable).int64(lastStable).int64(0);
        out.array(aborted, ({ producerId, firstOffset }) => out.int64(producerId).int64(firstOffset).tags());
        out.int32(-1).bytes(records);
        if (divergesAt === undefined) out.tags();
        else out.uvarint(1).uvarint(0).uvarint(13).int32(0).int64(divergesAt).tags(); // one tagged field, number 0, of 13 bytes
        out.tags();
      })
      .tags();
    this.settle.resolve(Buffer.concat(out.finish()));
  }

  fail(kind: 'unreachable' | 'reply lost'): void {
    const context = { api: 'Fetch', broker: `${this.node}`, problem: 'the spec says so' };
    this.settle.reject(kind === 'unreachable' ? errors.unreachable(context) : errors.replyLost(context));
  }
}

export interface ScriptedLeader {
  readonly node: number;
  readonly epoch: number;
}

/** A wire to a cluster that exists in a spec: its metadata is set by hand, and fetches wait until the spec answers them. */
export class ScriptedCluster implements Wire {
  /** Leaders by topic and partition; a topic that is not here does not exist. */
  readonly topics = new Map<string, ScriptedLeader[]>();
  /** How often each topic was deleted and created again: another topic then. */
  readonly recreated = new Map<string, number>();
  /** What ListOffsets says: earliest, earliest local, and latest. */
  starts = { earliest: 0, local: 0, latest: 0 };
  metadataAsked = 0;
  readonly #fetches: HeldFetch[] = [];
  #waiting: ((fetch: HeldFetch) => void) | undefined;

  send(node: number, role: Role, api: Api, body: readonly Buffer[]): Promise<Buffer> {
    const from = new ProtocolReader(api, Buffer.concat(body));
    if (api === APIS.metadata) return Promise.resolve(this.#metadata(from));
    if (api === APIS.listOffsets) return Promise.resolve(this.#listOffsets(from));
    if (api === APIS.fetch) return this.#fetch(node, role, from);
    return Promise.reject(new Error(`the spec has no answer to ${api.name}`));
  }

  #metadata(from: ProtocolReader): Buffer {
    this.metadataAsked++;
    const asked = from.array(() => {
      from.uuid();
      const topic = from.string();
      from.tags();
      return topic;
    });
    const out = new ProtocolWriter(true);
    out
      .int32(0)
      .array([1, 2], (node) =>
        out
          .int32(node)
          .string('broker')
          .int32(9_000 + node)
          .string(null)
          .tags(),
      )
      .string(null)
      .int32(1);
    out.array(asked, (topic) => {
      const leaders = this.topics.get(topic);
      out
        .int16(leaders === undefined ? CODE.UNKNOWN_TOPIC_OR_PARTITION : CODE.NONE)
        .string(topic)
        .uuid(this.#idOf(topic))
        .boolean(false);
      out.array([...(leaders ?? []).entries()], ([partition, { node, epoch }]) => {
        out
          .int16(node < 0 ? CODE.LEADER_NOT_AVAILABLE : CODE.NONE)
          .int32(partition)
          .int32(node)
          .int32(epoch)
          .count(0)
          .count(0)
          .count(0)
          .tags();
      });
      out.int32(0).tags();
    });
    return Buffer.concat(out.tags().finish());
  }

  #idOf(topic: string): Buffer {
    const id = Buffer.alloc(16, 7);
    id.write(`${this.recreated.get(topic) ?? 0}${topic}`);
    return id;
  }

  #listOffsets(from: ProtocolReader): Buffer {
    from.int32();
    from.int8();
    const asked = from.array(() => {
      const topic = from.string();
      const partitions = from.array(() => {
        const one = { partition: from.int32(), epoch: from.int32(), timestamp: from.int64() };
        from.tags();
        return one;
      });
      from.tags();
      return { topic, partitions };
    });
    const out = new ProtocolWriter(true);
    const { earliest, local, latest } = this.starts;
    const offsets = new Map([
      [-2, earliest],
      [-4, local],
      [-1, latest],
    ]);
    out.int32(0).array(asked, ({ topic, partitions }) => {
      out
        .string(topic)
        .array(partitions, ({ partition, timestamp }) => {
          out.int32(partition).int16(CODE.NONE).int64(-1).int64(offsets.get(timestamp)!).int32(0).tags();
        })
        .tags();
    });
    return Buffer.concat(out.tags().finish());
  }

  #fetch(node: number, role: Role, from: ProtocolReader): Promise<Buffer> {
    from.int32();
    const maxWaitMs = from.int32();
    for (const field of ['int32', 'int32', 'int8', 'int32', 'int32'] as const) from[field]();
    const partitions = from
      .array(() => {
        const topicId = from.uuid();
        const topic = [...this.topics.keys()].find((name) => this.#idOf(name).toString('hex') === topicId) ?? '';
        const partitionsOfTopic = from.array(() => {
          const asked = { topic, topicId, partition: from.int32(), leaderEpoch: from.int32(), position: from.int64(), lastEpoch: from.int32() };
          from.int64();
          const maxBytes = from.int32();
          from.tags();
          return { ...asked, maxBytes };
        });
        from.tags();
        return partitionsOfTopic;
      })
      .flat();
    return new Promise((resolve, reject) => {
      const held = new HeldFetch(node, role, maxWaitMs, partitions, { resolve, reject });
      if (this.#waiting === undefined) this.#fetches.push(held);
      else {
        this.#waiting(held);
        this.#waiting = undefined;
      }
    });
  }

  /** The next fetch that came, or comes. */
  fetch(): Promise<HeldFetch> {
    const held = this.#fetches.shift();
    return held !== undefined ? Promise.resolve(held) : new Promise((resolve) => (this.#waiting = resolve));
  }

  /** How many fetches came that nobody has looked at. */
  get unseen(): number {
    return this.#fetches.length;
  }

  learn(nodes: readonly NodeAddress[]): void {
    void nodes;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
