// `npm run bench`: the benchmark of apps/bench against a broker. What stands behind `--` goes to it.
import { launch } from './launch.mjs';

await launch({ name: 'bench', program: 'dist/apps/bench/main.js', args: process.argv.slice(2), broker: 'needed' });
