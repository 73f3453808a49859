import { describe, expect, it } from '@jest/globals';
import { kafka } from './kafka-log.js';
import { checkOptions, type KafkaOptions } from './options.js';

const refusal = (options: unknown): string => {
  try {
    kafka(options as KafkaOptions);
  } catch (thrown) {
    expect(thrown).toMatchObject({ kind: 'invalid' });
    return (thrown as Error).message;
  }
  throw new Error('the options were taken');
};

describe('the options of the Kafka log', () => {
  it('become complete settings', () => {
    expect(checkOptions({ brokers: ['kafka-1:9092', ' [::1]:19092 '] })).toEqual({
      brokers: [
        { host: 'kafka-1', port: 9092 },
        { host: '::1', port: 19092 },
      ],
      ssl: undefined,
      sasl: undefined,
      connectionTimeoutMs: 3_000,
      transactionVersion: 'auto',
      requestTimeoutMs: 30_000,
      compression: 'none',
      batchBytes: 1_000_000,
      produceConnections: 4,
    });
  });

  it.each([[undefined], [[]], ['kafka:9092'], [['kafka']], [['kafka:0']], [['kafka:99999']], [['http://kafka:9092']], [['']]])(
    'name the brokers when they are %j',
    (brokers) => {
      expect(refusal({ brokers })).toMatch(/Kafka option brokers is .*; allowed: a list of at least one host:port/);
    },
  );

  it('name an option that does not exist', () => {
    expect(refusal({ brokers: ['k:1'], broker: 'k' })).toContain('option broker ');
  });

  it('name the compressions there are', () => {
    expect(refusal({ brokers: ['k:1'], compression: 'brotli' })).toContain('allowed: none, gzip, snappy, lz4, zstd');
  });

  it('name the range of a number', () => {
    expect(refusal({ brokers: ['k:1'], requestTimeoutMs: 0 })).toContain('requestTimeoutMs is 0; allowed: a whole number from 1000');
    expect(refusal({ brokers: ['k:1'], connectionTimeoutMs: 1.5 })).toContain('connectionTimeoutMs is 1.5');
  });

  it('keep secrets out of the message about sasl', () => {
    const message = refusal({ brokers: ['k:1'], sasl: { username: 'me', password: 'secret' } });
    expect(message).toContain('sasl');
    expect(message).not.toContain('secret');
  });
});
