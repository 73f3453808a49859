import { clockOf, replayDeadLetters } from '@weir/core';
import { kafka } from '@weir/kafka';
import { ServiceEnvironment, SettingError } from '@weir/nest';
import { settingsFrom } from './service-settings.js';

/**
 * Puts the dead letters of DEAD_LETTER_TOPIC back where they came from, and ends. Run it again at any time: what was put back is not put
 * back again.
 */
async function main(): Promise<void> {
  const topic = new ServiceEnvironment(process.env).deadLetterTopic();
  const { brokers } = settingsFrom({ KAFKA_BROKERS: process.env['KAFKA_BROKERS'] });
  const clock = clockOf(globalThis);
  const log = await kafka({ brokers }).open({ clock, clientId: `weir-replay-${topic}` });
  try {
    const { replayed, others } = await replayDeadLetters(log, clock, topic);
    console.log(`${topic}: put back ${replayed} dead letters${others === 0 ? '' : `; left ${others} records alone that are none`}.`);
  } finally {
    await log.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof SettingError ? error.message : error);
  process.exitCode = 1;
});
