// `node scripts/broker.mjs`: starts a local broker, prints KAFKA_BROKERS=host:port on a line of its own, and keeps it until
// SIGTERM or Ctrl-C.
import { startBroker } from './local-broker.mjs';

const forever = setInterval(() => undefined, 1 << 30);
try {
  const broker = await startBroker({ log: (line) => console.error(line) });
  const end = async () => {
    await broker.stop();
    clearInterval(forever);
  };
  process.once('SIGTERM', end).once('SIGINT', end).once('SIGHUP', end);
  console.log(`KAFKA_BROKERS=${broker.brokers}`);
} catch (error) {
  clearInterval(forever);
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
