import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SettingError } from '@weir/nest';
import { settingsFrom } from './service-settings.js';

const KAFKA_BROKERS = '127.0.0.1:9092';

describe('the settings of the service', () => {
  it('have the defaults that the README promises', () => {
    expect(settingsFrom({ KAFKA_BROKERS })).toEqual({
      brokers: ['127.0.0.1:9092'],
      applicationId: 'temperature-alerts',
      stateDir: resolve('./data'),
      stateBackend: 'rocksdb',
      snapshotDir: resolve('./data/snapshots'),
      host: '127.0.0.1',
      port: 8081,
      checkpointIntervalMs: 500,
      checkpointMode: 'EXACTLY_ONCE',
      parallelism: undefined,
      group: { instanceId: undefined, sessionTimeout: 10_000, standbys: 0 },
      advertisedUrl: undefined,
      exitOnFailure: true,
      logLevels: ['fatal', 'error', 'warn', 'log'],
      badRecords: 'fail',
      alerts: { inputTopic: 'sensor-readings', outputTopic: 'temperature-alerts', inputPartitioner: 'auto', threshold: 10 },
    });
  });

  it('come from the environment, where an empty one counts as not set', () => {
    const settings = settingsFrom({
      KAFKA_BROKERS: 'a:1, b:2',
      APPLICATION_ID: 'x',
      INPUT_TOPIC: 'in',
      OUTPUT_TOPIC: 'out',
      STATE_BACKEND: 'memory',
      PORT: '0',
      CHECKPOINT_INTERVAL_MS: '100',
      INPUT_PARTITIONER: 'crc32',
      PARALLELISM: '3',
      ALERT_THRESHOLD: '2.5',
      LOG_LEVEL: 'error',
      HOST: '',
    });
    expect(settings).toMatchObject({ brokers: ['a:1', 'b:2'], applicationId: 'x', stateBackend: 'memory', port: 0, checkpointIntervalMs: 100, parallelism: 3 });
    expect(settings).toMatchObject({ host: '127.0.0.1', logLevels: ['fatal', 'error'] });
    expect(settings.alerts).toEqual({ inputTopic: 'in', outputTopic: 'out', inputPartitioner: 'crc32', threshold: 2.5 });
  });

  it('keep snapshots below the state directory, unless they are to lie elsewhere', () => {
    expect(settingsFrom({ KAFKA_BROKERS, STATE_BACKEND: 'filesystem', STATE_DIR: '/s' })).toMatchObject({ stateBackend: 'filesystem', snapshotDir: resolve('/s/snapshots') });
    expect(settingsFrom({ KAFKA_BROKERS, STATE_DIR: '/s', SNAPSHOT_DIR: '/mnt/snapshots' })).toMatchObject({ stateDir: resolve('/s'), snapshotDir: resolve('/mnt/snapshots') });
  });

  it('share the tasks with other replicas under the name beside the state, unless told otherwise', () => {
    const of = (variables: Record<string, string>): unknown => settingsFrom({ KAFKA_BROKERS, ...variables }).group;
    expect(of({ REPLICAS: 'one', INSTANCE_ID: 'a' })).toBe('none');
    expect(of({ REPLICAS: 'shared', INSTANCE_ID: 'alerts-0', SESSION_TIMEOUT_MS: '6000', STANDBYS: '1' })).toEqual({ instanceId: 'alerts-0', sessionTimeout: 6_000, standbys: 1 });
    expect([of({ INSTANCE_ID: 'none' }), of({ INSTANCE_ID: '' })]).toEqual(Array(2).fill({ instanceId: 'none', sessionTimeout: 10_000, standbys: 0 }));
    expect(settingsFrom({ KAFKA_BROKERS, ADVERTISED_URL: 'http://alerts-0.alerts:8081' })).toMatchObject({ advertisedUrl: 'http://alerts-0.alerts:8081' });
  });

  it('say what a failed job means for the process', () => {
    const of = (EXIT_ON_FAILURE: string): unknown => settingsFrom({ KAFKA_BROKERS, EXIT_ON_FAILURE }).exitOnFailure;
    expect([of('true'), of('false'), of('7'), of('')]).toEqual([true, false, 7, true]);
  });

  it('say what becomes of bad records', () => {
    expect(settingsFrom({ KAFKA_BROKERS, BAD_RECORDS: 'skip' })).toMatchObject({ badRecords: 'skip' });
    expect(settingsFrom({ KAFKA_BROKERS, BAD_RECORDS: 'deadLetter', DEAD_LETTER_TOPIC: 'dead' })).toMatchObject({ badRecords: { deadLetter: 'dead' } });
  });

  it('say how often a record is tried again before', () => {
    const settings = settingsFrom({ KAFKA_BROKERS, BAD_RECORDS: 'skip', BAD_RECORD_RETRIES: '3', BAD_RECORD_RETRY_DELAY_MS: '50' });
    expect(settings).toMatchObject({ badRecords: { policy: 'skip', retries: { attempts: 3, delay: 50 } } });
    expect(settingsFrom({ KAFKA_BROKERS, BAD_RECORD_RETRIES: '1' })).toMatchObject({ badRecords: { policy: 'fail', retries: { attempts: 1, delay: 1_000 } } });
  });

  it.each([
    [{ RESTART_STRATEGY: 'none' }, { type: 'none' }],
    [{ RESTART_STRATEGY: 'fixed-delay', RESTART_ATTEMPTS: '3', RESTART_DELAY_MS: '9' }, { type: 'fixed-delay', attempts: 3, delay: 9 }],
    [{ RESTART_STRATEGY: 'failure-rate', RESTART_MAX_FAILURES: '2', RESTART_FAILURE_INTERVAL_MS: '9' }, { type: 'failure-rate', maxFailuresPerInterval: 2, failureRateInterval: 9, delay: undefined }],
    [{ RESTART_STRATEGY: 'exponential-delay', RESTART_INITIAL_BACKOFF_MS: '5', RESTART_ATTEMPTS: '4' }, { type: 'exponential-delay', initialBackoff: 5, attemptsBeforeResetBackoff: 4 }],
  ])('say how tasks restart: %j', (variables, restartStrategy) => {
    expect(settingsFrom({ KAFKA_BROKERS, ...variables })).toMatchObject({ restartStrategy });
  });

  it.each([
    [{ KAFKA_BROKERS: undefined }, 'KAFKA_BROKERS is not set; it takes host:port'],
    [{ KAFKA_BROKERS: 'localhost' }, 'KAFKA_BROKERS is "localhost"; allowed: host:port'],
    [{ EXIT_ON_FAILURE: '0' }, 'EXIT_ON_FAILURE is "0"; allowed: true, false, or an exit code from 1 to 255.'],
    [{ EXIT_ON_FAILURE: 'yes' }, 'EXIT_ON_FAILURE is "yes"; allowed: true, false'],
    [{ REPLICAS: '3' }, 'REPLICAS is "3"; allowed: shared, one.'],
    [{ STANDBYS: '-1' }, 'STANDBYS is "-1"; allowed: a whole number from 0 to 100.'],
    [{ REPLICAS: 'one', STANDBYS: '1' }, 'STANDBYS is "1"; allowed: 0 where REPLICAS is one: copies are kept by other replicas.'],
    [{ INSTANCE_ID: 'a b' }, 'INSTANCE_ID is "a b"; allowed: 1 to 200 letters'],
    [{ ADVERTISED_URL: 'alerts-0:8081' }, 'ADVERTISED_URL is "alerts-0:8081"; allowed: a URL'],
    [{ STATE_BACKEND: 'disk' }, 'STATE_BACKEND is "disk"; allowed: rocksdb, filesystem, memory.'],
    [{ CHECKPOINT_MODE: 'exactly' }, 'CHECKPOINT_MODE is "exactly"; allowed: EXACTLY_ONCE, AT_LEAST_ONCE.'],
    [{ INPUT_PARTITIONER: 'md5' }, 'INPUT_PARTITIONER is "md5"; allowed: auto, murmur2, crc32.'],
    [{ CHECKPOINT_INTERVAL_MS: '0' }, 'CHECKPOINT_INTERVAL_MS is "0"; allowed: a whole number from 10 to 600000.'],
    [{ BAD_RECORDS: 'ignore' }, 'BAD_RECORDS is "ignore"; allowed: fail, skip, deadLetter.'],
    [{ BAD_RECORDS: 'deadLetter' }, 'DEAD_LETTER_TOPIC is not set; it takes the name of the topic that bad records go to.'],
    [{ BAD_RECORD_RETRY_DELAY_MS: '5' }, 'BAD_RECORD_RETRY_DELAY_MS is "5"; allowed: nothing while BAD_RECORD_RETRIES is 0.'],
    [{ BAD_RECORD_RETRIES: '1001' }, 'BAD_RECORD_RETRIES is "1001"; allowed: a whole number from 0 to 1000.'],
    [{ RESTART_STRATEGY: 'always' }, 'RESTART_STRATEGY is "always"; allowed: none, fixed-delay, failure-rate, exponential-delay.'],
    [{ RESTART_STRATEGY: 'none', RESTART_ATTEMPTS: '3' }, 'RESTART_ATTEMPTS is "3"; allowed: nothing while RESTART_STRATEGY is none.'],
    [{ RESTART_DELAY_MS: '3' }, 'RESTART_DELAY_MS is "3"; allowed: nothing while RESTART_STRATEGY is not set.'],
    [{ BAD_RECORDS: 'deadLetter', DEAD_LETTER_TOPIC: 'a b' }, 'DEAD_LETTER_TOPIC is "a b"; allowed: 1 to 249 letters'],
    [{ DEAD_LETTER_TOPIC: 'dead' }, 'DEAD_LETTER_TOPIC is "dead"; allowed: nothing while BAD_RECORDS is fail.'],
    [{ PORT: '99999' }, 'PORT is "99999"; allowed: a whole number from 0 to 65535.'],
    [{ PARALLELISM: '1.5' }, 'PARALLELISM is "1.5"; allowed: a whole number from 1 to 32768.'],
    [{ ALERT_THRESHOLD: '-1' }, 'ALERT_THRESHOLD is "-1"; allowed: degrees above 0'],
    [{ INPUT_TOPIC: 'a b' }, 'INPUT_TOPIC is "a b"; allowed: 1 to 249 letters'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud"; allowed: error, warn, log, debug.'],
  ])('refuse %j', (environment, message) => {
    const read = () => settingsFrom({ KAFKA_BROKERS, ...environment });
    expect(read).toThrow(SettingError);
    expect(read).toThrow(message);
  });
});
