import { describe, expect, it } from '@jest/globals';
import { ByteWriter } from './byte-writer.js';
import { type DeadLetter, readDeadLetter, readReplayMark, writeDeadLetterHeaders, writeReplayMark } from './dead-letter.js';
import { decodeHeaders, encodeHeaders, type RecordHeader } from './headers.js';

const LETTER: DeadLetter = { job: 'j', operator: 'o', topic: 't', partition: 2, offset: 17, errorCode: 'E', error: 'm' };
const OWN: readonly RecordHeader[] = [{ key: 'trace', value: Buffer.from('1') }, { key: 'none', value: null }];

function headersOf(write: (out: ByteWriter) => void): RecordHeader[] {
  const out = new ByteWriter();
  write(out);
  return decodeHeaders(out.buffer, 0, out.length);
}

describe('headers of a dead letter', () => {
  it('lie as version 1 says, byte for byte', () => {
    const out = new ByteWriter();
    writeDeadLetterHeaders(LETTER, out);
    const expected = [
      '20776569722d646561642d6c6574746572' + '0231', '10776569722d6a6f62' + '026a', '1a776569722d6f70657261746f72' + '026f',
      '14776569722d746f706963' + '0274', '1c776569722d706172746974696f6e' + '0232', '16776569722d6f6666736574' + '043137',
      '1e776569722d6572726f722d636f6465' + '0245', '14776569722d6572726f72' + '026d',
    ];
    expect(out.buffer.toString('hex', 0, out.length)).toBe(expected.join(''));
  });

  it('give back what was written and the headers before them', () => {
    const headers = headersOf((out) => {
      encodeHeaders(OWN, out);
      writeDeadLetterHeaders(LETTER, out);
    });
    expect(readDeadLetter(headers)).toEqual({ letter: LETTER, own: OWN });
  });

  it('are those of the last time for a record that became a dead letter twice', () => {
    const headers = headersOf((out) => {
      writeDeadLetterHeaders(LETTER, out);
      writeDeadLetterHeaders({ ...LETTER, offset: 99 }, out);
    });
    const found = readDeadLetter(headers)!;
    expect(found.letter.offset).toBe(99);
    expect(readDeadLetter(found.own)?.letter.offset).toBe(17);
  });

  it('cut off a long error', () => {
    const found = readDeadLetter(headersOf((out) => writeDeadLetterHeaders({ ...LETTER, error: 'x'.repeat(5_000) }, out)));
    expect(found!.letter.error).toHaveLength(1_000);
  });

  it('are not seen in other headers, or in those of a later version', () => {
    const whole = headersOf((out) => writeDeadLetterHeaders(LETTER, out));
    const with2 = (i: number, value: string) => whole.map((header, at) => (at === i ? { ...header, value: Buffer.from(value) } : header));
    expect([[], OWN, whole.slice(1), [...whole, ...OWN], with2(0, '2'), with2(4, '-1'), with2(5, 'x')].map((headers) => readDeadLetter(headers))).toEqual(Array(7).fill(undefined));
  });
});

describe('a mark of the replay', () => {
  it('lies and reads as its form says', () => {
    const out = new ByteWriter();
    writeReplayMark(42, out);
    expect(out.buffer.toString('hex', 0, out.length)).toBe('20776569722d7265706c617965642d746f' + '043432');
    expect(readReplayMark(decodeHeaders(out.buffer, 0, out.length))).toBe(42);
  });

  it('is not seen in other headers', () => {
    expect([[], OWN, [{ key: 'weir-replayed-to', value: null }]].map(readReplayMark)).toEqual([undefined, undefined, undefined]);
  });
});
