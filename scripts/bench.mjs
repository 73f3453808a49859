// `npm run bench`: the benchmark of apps/bench against a broker. What stands behind `--` goes to it.
import { launch } from './launch.mjs';

const args = process.argv.slice(2);
// Some commands need no broker.
const broker = ['memory', 'micro', 'states'].includes(args[0] ?? '') ? 'embedded' : 'needed';
await launch({ name: 'bench', program: 'dist/apps/bench/main.js', args, broker });
