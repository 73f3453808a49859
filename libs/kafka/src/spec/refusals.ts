import type { TopicPartition } from '@weir/core';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS, TRANSACTION_CALLS, type TransactionVersion } from '../wire/wire.js';

const finish = (out: ProtocolWriter): Buffer => Buffer.concat(out.finish());

const alone = (flexible: boolean, code: number): ProtocolWriter => new ProtocolWriter(flexible).int32(0).int16(code);

/** Answers that have nothing but an error, by the name of the call. @param at the partition that the request names */
export const refusalsOf = (version: TransactionVersion, at: TopicPartition): Readonly<Record<string, (code: number) => Buffer>> => {
  const { produce, txnOffsetCommit, endTxn } = TRANSACTION_CALLS[version];
  return {
    FindCoordinator: (code) => finish(alone(APIS.findCoordinator.flexible, code).string(null).int32(-1).string('').int32(-1)),
    InitProducerId: (code) => finish(alone(APIS.initProducerId.flexible, code).int64(-1).int16(-1).tags()),
    AddPartitionsToTxn: (code) =>
      finish(new ProtocolWriter(APIS.addPartitionsToTxn.flexible).int32(0).count(1).string(at.topic).count(1).int32(at.partition).int16(code)),
    Produce: (code) => {
      const out = new ProtocolWriter(produce.flexible).count(1).string(at.topic).count(1);
      out.int32(at.partition).int16(code).int64(-1).int64(-1).int64(-1).count(0).string(null).tags().tags();
      return finish(out.int32(0).tags());
    },
    AddOffsetsToTxn: (code) => finish(alone(APIS.addOffsetsToTxn.flexible, code)),
    TxnOffsetCommit: (code) => {
      const out = new ProtocolWriter(txnOffsetCommit.flexible).int32(0).count(1).string(at.topic).count(1);
      return finish(out.int32(at.partition).int16(code).tags().tags().tags());
    },
    EndTxn: (code) => finish(version === 1 ? alone(endTxn.flexible, code) : alone(endTxn.flexible, code).int64(-1).int16(-1).tags()),
    ListOffsets: (code) => {
      const out = new ProtocolWriter(APIS.listOffsets.flexible).int32(0).count(1).string(at.topic).count(1);
      return finish(out.int32(at.partition).int16(code).int64(-1).int64(-1).int32(-1).tags().tags().tags());
    },
    OffsetForLeaderEpoch: (code) => {
      const out = new ProtocolWriter(APIS.offsetForLeaderEpoch.flexible).int32(0).count(1).string(at.topic).count(1);
      return finish(out.int16(code).int32(at.partition).int32(-1).int64(-1));
    },
    Metadata: (code) => {
      const out = new ProtocolWriter(APIS.metadata.flexible).int32(0).count(0).string(null).int32(-1).count(1);
      out.int16(code).string(at.topic).uuid(Buffer.alloc(16)).boolean(false).count(0).int32(0).tags();
      return finish(out.tags());
    },
    JoinGroup: (code) => {
      const out = alone(APIS.joinGroup.flexible, code).int32(-1).string(null).string(null);
      return finish(out.string('').boolean(false).string('').count(0).tags());
    },
    SyncGroup: (code) => finish(alone(APIS.syncGroup.flexible, code).string(null).string(null).bytes(Buffer.alloc(0)).tags()),
    Heartbeat: (code) => finish(alone(APIS.heartbeat.flexible, code).tags()),
    DeleteRecords: (code) => {
      const out = new ProtocolWriter(APIS.deleteRecords.flexible).int32(0).count(1).string(at.topic).count(1);
      return finish(out.int32(at.partition).int64(-1).int16(code).tags().tags().tags());
    },
  };
};

