export { kafka, kafkaLogOn } from './kafka-log.js';
export type { KafkaCompression, KafkaOptions, KafkaSasl, KafkaTls } from './options.js';
export { errors as kafkaErrors } from './errors.js';
export type { Api, NodeAddress, Role, Wire } from './wire/wire.js';
