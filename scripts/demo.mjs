// `npm run demo`: on a fresh clone and with one command, the temperature alerts on real input.
// `-- --seconds N` ends it by itself; `-- --embedded` runs it without Kafka, as it does anyway where there is no way to a broker.
import { launch } from './launch.mjs';

const args = process.argv.slice(2);
const broker = args.includes('--embedded') ? 'embedded' : 'embedded-instead';
await launch({ name: 'demo', program: 'dist/apps/temperature-alerts/demo/main.js', args, broker });
