const TABLE = makeTable();

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[byte] = value;
  }
  return table;
}

/**
 * CRC-32 (IEEE 802.3, reflected, as in zlib): the hash of librdkafka's default partitioner, `consistent_random`.
 *
 * @returns an unsigned 32-bit integer over bytes [start, end)
 */
export function crc32(data: Uint8Array, start = 0, end = data.length): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ data[at]!) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}
