import { describe, expect, it } from '@jest/globals';
import { assignmentData, encodeAssignment, encodeSubscription, subscriptionData } from './consumer-protocol.js';

const hex = (bytes: Buffer): string => bytes.toString('hex');
const DATA = Buffer.from('data');
const SUBSCRIPTION = '0000' + '00000001' + '0001' + '74' + '00000004' + hex(DATA);
const ASSIGNMENT = '0000' + '00000001' + '0001' + '74' + '00000002' + '00000003' + '00000005' + '00000004' + hex(DATA);

describe("the framing of Kafka's own consumers", () => {
  it('has these bytes: a version, the topics, and what is ours as user data', () => {
    expect(hex(encodeSubscription(['t'], DATA))).toBe(SUBSCRIPTION);
    const partitions = [3, 5].map((partition) => ({ topic: 't', partition }));
    expect(hex(encodeAssignment({ partitions, data: DATA }))).toBe(ASSIGNMENT);
  });

  it('is read back, also from later versions, which add fields at the end', () => {
    expect(subscriptionData(Buffer.from(SUBSCRIPTION, 'hex'))).toEqual(DATA);
    expect(assignmentData(Buffer.from(ASSIGNMENT, 'hex'))).toEqual(DATA);
    expect(subscriptionData(Buffer.from(`0003${SUBSCRIPTION.slice(4)}00000000ffffffffffff`, 'hex'))).toEqual(DATA);
  });

  it('gives nothing for what was cut short, or never was one: the leader says what to make of it', () => {
    for (let cut = 0; cut < SUBSCRIPTION.length / 2; cut++) {
      expect(subscriptionData(Buffer.from(SUBSCRIPTION, 'hex').subarray(0, cut))).toEqual(Buffer.alloc(0));
    }
    expect(assignmentData(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
    expect(assignmentData(Buffer.from('ffffffffffffffff', 'hex'))).toEqual(Buffer.alloc(0));
  });

  it('names each topic once, however its partitions are mixed with those of others', () => {
    const partitions = [['a', 0], ['b', 0], ['a', 1]].map(([topic, partition]) => ({ topic: String(topic), partition: Number(partition) }));
    const bytes = encodeAssignment({ partitions, data: DATA });
    expect(bytes.readInt32BE(2)).toBe(2);
    expect(assignmentData(bytes)).toEqual(DATA);
  });
});
