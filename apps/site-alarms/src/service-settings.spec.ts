import { describe, expect, it } from '@jest/globals';
import { SettingError } from '@weir/nest';
import { settingsFrom } from './service-settings.js';

const KAFKA_BROKERS = '127.0.0.1:9092';

describe('the settings of the service', () => {
  it('have the defaults that the README promises', () => {
    expect(settingsFrom({ KAFKA_BROKERS })).toMatchObject({
      applicationId: 'site-alarms',
      alarms: {
        inputTopic: 'sensor-readings',
        limitsTopic: 'sensor-limits',
        alarmsTopic: 'limit-alarms',
        countsTopic: 'site-alarm-counts',
        inputPartitioner: 'auto',
      },
    });
  });

  it('come from the environment', () => {
    const settings = settingsFrom({
      KAFKA_BROKERS,
      APPLICATION_ID: 'x',
      INPUT_TOPIC: 'in',
      LIMITS_TOPIC: 'limits',
      ALARMS_TOPIC: 'alarms',
      COUNTS_TOPIC: 'counts',
      BAD_RECORDS: 'deadLetter',
      DEAD_LETTER_TOPIC: 'dead',
      RESTART_STRATEGY: 'none',
      INPUT_PARTITIONER: 'crc32',
    });
    expect(settings).toMatchObject({ applicationId: 'x', brokers: [KAFKA_BROKERS], stateBackend: 'rocksdb', badRecords: { deadLetter: 'dead' }, restartStrategy: { type: 'none' } });
    expect(settings.alarms).toEqual({ inputTopic: 'in', limitsTopic: 'limits', alarmsTopic: 'alarms', countsTopic: 'counts', inputPartitioner: 'crc32' });
  });

  it.each([
    [{ KAFKA_BROKERS: undefined }, 'KAFKA_BROKERS is not set; it takes host:port'],
    [{ LIMITS_TOPIC: 'a b' }, 'LIMITS_TOPIC is "a b"; allowed: 1 to 249 letters'],
    [{ COUNTS_TOPIC: '..' }, 'COUNTS_TOPIC is ".."; allowed: 1 to 249 letters'],
    [{ INPUT_PARTITIONER: 'md5' }, 'INPUT_PARTITIONER is "md5"; allowed: auto, murmur2, crc32.'],
  ])('refuse %j', (variables, message) => {
    const read = () => settingsFrom({ KAFKA_BROKERS, ...variables });
    expect(read).toThrow(SettingError);
    expect(read).toThrow(message);
  });
});
