/** The brokers that specs run against; the test command sets them. A spec that cannot run fails, and says what is missing. */
export function brokersForSpecs(): readonly string[] {
  const brokers = process.env.KAFKA_BROKERS;
  if (brokers === undefined || brokers.trim() === '') {
    throw new Error('KAFKA_BROKERS is not set: this spec needs a Kafka broker, e.g. KAFKA_BROKERS=127.0.0.1:9092');
  }
  return brokers.split(',').map((broker) => broker.trim());
}
