import type { ConnectionOptions } from 'node:tls';
import zlib from 'node:zlib';
import { errors } from './errors.js';

/** How records are packed on their way to Kafka. What is read is unpacked whatever it was packed with. */
export type KafkaCompression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Passed on to Node's `tls.connect`. */
export type KafkaTls = ConnectionOptions;

/** Passed on to kafkajs: `mechanism` (plain, scram-sha-256, scram-sha-512, oauthbearer, aws or one's own) and what it needs. */
export interface KafkaSasl {
  readonly mechanism: string;
  readonly [setting: string]: unknown;
}

export interface KafkaOptions {
  /** Where to find the cluster: `host:port` of at least one broker. */
  readonly brokers: readonly string[];
  /** TLS; true for Node's defaults. */
  readonly ssl?: KafkaTls | boolean;
  readonly sasl?: KafkaSasl;
  /** How long a connection may take to open, in milliseconds; default 3,000. */
  readonly connectionTimeoutMs?: number;
  /**
   * How long the answer to a request may take, in milliseconds; default 30,000. What carries no records is given up after 10,000 at most, and
   * asked for again.
   */
  readonly requestTimeoutMs?: number;
  /** Default `none`: state and alerts are small, and unpacked they cost the least time here and at the broker. */
  readonly compression?: KafkaCompression;
  /** Most bytes of records in one batch before packing; default 1,000,000. The topic's own limit holds, too. */
  readonly batchBytes?: number;
  /**
   * Default `auto`: transactions of version 2 (KIP-890) where the cluster has agreed on them, which take fewer requests; 1 never does.
   */
  readonly transactionVersion?: 'auto' | 1;
  /** Connections per broker over which writers are spread; default 4. */
  readonly produceConnections?: number;
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Options after the check: complete, frozen. */
export interface KafkaSettings {
  readonly brokers: readonly BrokerAddress[];
  readonly ssl: KafkaTls | boolean | undefined;
  readonly sasl: KafkaSasl | undefined;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly compression: KafkaCompression;
  readonly batchBytes: number;
  readonly produceConnections: number;
  readonly transactionVersion: 'auto' | 1;
}

const COMPRESSIONS: readonly KafkaCompression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const OPTIONS: readonly (keyof KafkaOptions)[] = [
  'brokers',
  'ssl',
  'sasl',
  'connectionTimeoutMs',
  'requestTimeoutMs',
  'compression',
  'batchBytes',
  'produceConnections',
  'transactionVersion',
];

/**
 * Checks the options once, at the edge.
 * @throws WeirError `invalid` naming the option, what came and what is allowed
 */
export function checkOptions(options: KafkaOptions): KafkaSettings {
  for (const option of Object.keys(options)) {
    if (!(OPTIONS as readonly string[]).includes(option)) throw invalid(option, 'set', `only ${OPTIONS.join(', ')}`);
  }
  const compression = options.compression ?? 'none';
  if (!COMPRESSIONS.includes(compression)) throw invalid('compression', compression, COMPRESSIONS.join(', '));
  if (compression === 'zstd' && !('zstdCompressSync' in zlib)) {
    throw errors.compressionMissing({ compression, node: process.version });
  }
  const { ssl, sasl } = options;
  if (ssl !== undefined && typeof ssl !== 'boolean' && (typeof ssl !== 'object' || ssl === null)) {
    throw invalid('ssl', ssl, 'true, false, or options of tls.connect');
  }
  if (sasl !== undefined && (typeof sasl !== 'object' || sasl === null || typeof sasl.mechanism !== 'string')) {
    throw invalid('sasl', 'without a mechanism', 'an object with a mechanism and its credentials');
  }
  const transactionVersion = options.transactionVersion ?? 'auto';
  if (transactionVersion !== 'auto' && transactionVersion !== 1) throw invalid('transactionVersion', transactionVersion, 'auto, 1');
  return Object.freeze({
    brokers: checkBrokers(options.brokers),
    ssl,
    sasl,
    compression,
    transactionVersion,
    connectionTimeoutMs: whole('connectionTimeoutMs', options.connectionTimeoutMs ?? 3_000, 1, 600_000),
    requestTimeoutMs: whole('requestTimeoutMs', options.requestTimeoutMs ?? 30_000, 1_000, 3_600_000),
    batchBytes: whole('batchBytes', options.batchBytes ?? 1_000_000, 1_024, 100_000_000),
    produceConnections: whole('produceConnections', options.produceConnections ?? 4, 1, 64),
  });
}

function checkBrokers(brokers: readonly string[] | undefined): readonly BrokerAddress[] {
  const allowed = 'a list of at least one host:port';
  if (!Array.isArray(brokers) || brokers.length === 0) throw invalid('brokers', brokers, allowed);
  return brokers.map((broker: unknown) => {
    const parts = typeof broker === 'string' ? /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(broker.trim()) : null;
    const port = Number(parts?.[3]);
    if (parts === null || port < 1 || port > 65_535) throw invalid('brokers', brokers, allowed);
    return Object.freeze({ host: (parts[1] ?? parts[2])!, port });
  });
}

function whole(option: keyof KafkaOptions, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) throw invalid(option, value, `a whole number from ${least} to ${most}`);
  return value;
}

const invalid = (option: string, value: unknown, allowed: string): Error => errors.optionInvalid({ option, value, allowed });
