// `npm run chaos`: the chaos rig of apps/verifier against a broker. What stands behind `--` goes to it.
import { launch } from './launch.mjs';

await launch({ name: 'chaos', program: 'dist/apps/verifier/main.js', args: process.argv.slice(2), broker: 'needed' });
