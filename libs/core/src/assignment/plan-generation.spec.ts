import { describe, expect, it } from '@jest/globals';
import { decodeMemberOrders, encodeMemberOrders, NO_ORDERS } from './member-orders.js';
import { decodeMemberReport, encodeMemberReport, type MemberReport } from './member-report.js';
import { planGeneration, type GenerationContext } from './plan-generation.js';

const report = (replica: string, state: Partial<MemberReport> = {}): MemberReport => ({
  replica,
  url: `http://${replica}:8081`,
  running: [],
  leaving: [],
  awaiting: [],
  copies: [],
  ...state,
});

const member = (memberId: string, data: Buffer): { memberId: string; instanceId: undefined; data: Buffer } => ({ memberId, instanceId: undefined, data });

const context: GenerationContext = {
  subTopologies: [['0-0', '0-1'], ['1-0']],
  standbys: 0,
  leader: 'a',
  partitionsOf: (task) => [{ topic: `input-${task[0]}`, partition: Number(task[2]) }],
};

describe('what a replica reports', () => {
  const full = report('a', { running: ['0-0'], leaving: ['0-1'], awaiting: ['1-0'], copies: [{ task: '1-1', lag: 12 }] });
  const GOLDEN =
    '{"version":1,"replica":"a","url":"http://a:8081","running":["0-0"],"leaving":["0-1"],"awaiting":["1-0"],"copies":[["1-1",12]]}';

  it('has these bytes in version 1', () => {
    expect(encodeMemberReport(full).toString()).toBe(GOLDEN);
  });

  it('is read as it was written, with a url or without, and with fields that a later one adds', () => {
    expect(decodeMemberReport(encodeMemberReport(full))).toEqual(full);
    const bare = report('b', { url: undefined });
    expect(decodeMemberReport(encodeMemberReport(bare))).toEqual(bare);
    expect(decodeMemberReport(Buffer.from(GOLDEN.replace('{', '{"later":[1],')))).toEqual(full);
  });

  it.each([
    ['no JSON', ''],
    ['no JSON object', 'null'],
    ['version 2', GOLDEN.replace('"version":1', '"version":2')],
    ['names no replica', GOLDEN.replace('"replica":"a"', '"replica":1')],
    ['names no replica', GOLDEN.replace('"http://a:8081"', '7')],
    ['damaged', GOLDEN.replace('["0-0"]', '[0]')],
    ['damaged', GOLDEN.replace('12', '-12')],
    ['damaged', GOLDEN.replace('12', '"12"')],
  ])('is refused in words: %s', (words, text) => {
    expect(decodeMemberReport(Buffer.from(text))).toContain(words);
  });
});

describe('what a replica is told', () => {
  const full = {
    refused: undefined,
    run: ['0-0'],
    await: [{ task: '0-1', from: 'b' }],
    standby: ['1-0'],
    replicas: [{ replica: 'b', url: undefined, isLeader: true, run: ['0-1'] }],
  };
  const GOLDEN = '{"version":1,"run":["0-0"],"await":[["0-1","b"]],"standby":["1-0"],"replicas":[{"replica":"b","isLeader":true,"run":["0-1"]}]}';

  it('has these bytes in version 1', () => {
    expect(encodeMemberOrders(full).toString()).toBe(GOLDEN);
  });

  it('is read as it was written, with fields that a later one adds; nothing at all is no orders', () => {
    expect(decodeMemberOrders(Buffer.from(GOLDEN))).toEqual(full);
    const refused = { ...NO_ORDERS, refused: 'why', replicas: [{ replica: 'a', url: 'http://a', isLeader: false, run: [] }] };
    expect(decodeMemberOrders(encodeMemberOrders(refused))).toEqual(refused);
    expect(decodeMemberOrders(Buffer.from(GOLDEN.replaceAll('{', '{"later":0,')))).toEqual(full);
    expect(decodeMemberOrders(Buffer.alloc(0))).toEqual({ ...NO_ORDERS, refused: undefined, replicas: [] });
  });

  it.each([
    ['no JSON', '{'],
    ['no JSON object', '1'],
    ['version 2', GOLDEN.replace('"version":1', '"version":2')],
    ['no text', GOLDEN.replace('{', '{"refused":1,')],
    ['tasks are damaged', GOLDEN.replace('["0-0"]', 'null')],
    ['tasks are damaged', GOLDEN.replace('"0-1","b"', '"0-1"')],
    ['replicas are damaged', GOLDEN.replace('"isLeader":true', '"isLeader":1')],
  ])('is an error where it cannot be understood: %s', (words, text) => {
    expect(() => decodeMemberOrders(Buffer.from(text))).toThrow(expect.objectContaining({ kind: 'internal', code: 'ORDERS_UNREADABLE' }));
    expect(() => decodeMemberOrders(Buffer.from(text))).toThrow(words);
  });
});

describe('the plan of a generation', () => {
  const orders = (plan: ReturnType<typeof planGeneration>, memberId: string): ReturnType<typeof decodeMemberOrders> => decodeMemberOrders(plan.get(memberId)!.data);

  it('divides the tasks, tells the log whose inputs are whose, and everybody who is there', () => {
    const plan = planGeneration([member('m-1', encodeMemberReport(report('a', { running: ['0-0'] }))), member('m-2', encodeMemberReport(report('b')))], context);
    expect(orders(plan, 'm-1').run).toEqual(['0-0', '1-0']);
    expect(plan.get('m-1')!.partitions).toEqual([{ topic: 'input-0', partition: 0 }, { topic: 'input-1', partition: 0 }]);
    expect(plan.get('m-2')!.partitions).toEqual([{ topic: 'input-0', partition: 1 }]);
    const everybody = [
      { replica: 'a', url: 'http://a:8081', isLeader: true, run: ['0-0', '1-0'] },
      { replica: 'b', url: 'http://b:8081', isLeader: false, run: ['0-1'] },
    ];
    for (const id of ['m-1', 'm-2']) expect(orders(plan, id).replicas).toEqual(everybody);
  });

  it('shows an awaited task as nobody\'s until it is handed over', () => {
    const both = [member('m-1', encodeMemberReport(report('a', { running: ['0-0', '0-1', '1-0'] }))), member('m-2', encodeMemberReport(report('b')))];
    const plan = planGeneration(both, context);
    expect(orders(plan, 'm-2')).toMatchObject({ run: [], await: [{ from: 'a' }] });
    expect(plan.get('m-2')!.partitions).toEqual([]);
    expect(plan.get('m-1')!.partitions).toHaveLength(2);
  });

  it('gives nothing to a member that it does not understand, nor to the second of one name, and tells them; the others work', () => {
    const plan = planGeneration(
      [member('m-3', encodeMemberReport(report('a'))), member('m-1', encodeMemberReport(report('a'))), member('m-2', Buffer.from('?'))],
      context,
    );
    expect(orders(plan, 'm-1')).toMatchObject({ refused: undefined, run: ['0-0', '0-1', '1-0'] });
    expect(orders(plan, 'm-2')).toMatchObject({ refused: 'its report is no JSON', run: [] });
    expect(orders(plan, 'm-3')).toMatchObject({ refused: 'another member goes by the name of replica a', run: [] });
  });
});
