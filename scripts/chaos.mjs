// `npm run chaos`: the chaos rig of apps/verifier. What stands behind `--` goes to it. It starts the brokers that it needs: those that are
// struck belong to the process that strikes.
import { launch } from './launch.mjs';

await launch({ name: 'chaos', program: 'dist/apps/verifier/main.js', args: process.argv.slice(2), broker: 'own' });
