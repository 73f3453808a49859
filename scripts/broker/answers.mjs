// Does a Kafka broker answer here? One ApiVersions request, written by hand, because this runs before `npm install`.
// Version 0 is understood by every broker, without login, and even when a broker refuses the version it answers with it.
import { connect } from 'node:net';

const API_VERSIONS = 18;
const CORRELATION_ID = 0x57454952;
const LARGEST_ANSWER_BYTES = 1 << 20;

/** size int32, api key int16, version int16, correlation id int32, client id as a null string. */
function apiVersionsRequest() {
  const request = Buffer.alloc(14);
  request.writeInt32BE(10, 0);
  request.writeInt16BE(API_VERSIONS, 4);
  request.writeInt16BE(0, 6);
  request.writeInt32BE(CORRELATION_ID, 8);
  request.writeInt16BE(-1, 12);
  return request;
}

/**
 * @param {string} host
 * @param {number} port
 * @param {number} timeoutMs
 * @returns {Promise<string | undefined>} undefined if a broker answers, else why that cannot be said
 */
export function whyNoAnswer(host, port, timeoutMs) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    /** @param {string | undefined} why */
    const end = (why) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(why);
    };
    const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on('error', (error) => end(/** @type {NodeJS.ErrnoException} */ (error).code ?? error.message));
    socket.on('close', () => end('closed the connection; not Kafka, or Kafka that wants TLS'));
    socket.on('connect', () => socket.write(apiVersionsRequest()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 8) return;
      const size = received.readInt32BE(0);
      const isKafka = size >= 6 && size <= LARGEST_ANSWER_BYTES && received.readInt32BE(4) === CORRELATION_ID;
      end(isKafka ? undefined : 'something answers, but not as Kafka does');
    });
  });
}

/**
 * @param {string} brokers `host:port,host:port`
 * @param {number} timeoutMs
 * @returns {Promise<string[]>} empty if at least one of them answers, else one reason each
 */
export async function whyNoneAnswers(brokers, timeoutMs) {
  const reasons = await Promise.all(
    brokers.split(',').map(async (entry) => {
      const broker = entry.trim();
      const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(broker);
      if (match === null || Number(match[3]) < 1 || Number(match[3]) > 65535) return `"${broker}" is not host:port`;
      const why = await whyNoAnswer(match[1] ?? match[2] ?? '', Number(match[3]), timeoutMs);
      return why === undefined ? undefined : `${broker}: ${why}`;
    }),
  );
  return reasons.includes(undefined) ? [] : reasons.map(String);
}
