// `npm run simulate`: the whole protocol in simulated time (apps/verifier/src/simulation). What stands behind `--` goes to it.
import { launch } from './launch.mjs';

await launch({ name: 'simulate', program: 'dist/apps/verifier/simulation/main.js', args: process.argv.slice(2), broker: 'embedded' });
