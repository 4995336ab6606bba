/**
 * `npm run test:package [-- --quick] [--keep]`: builds, packs, installs the tarball in an empty folder and tries what it
 * holds on plain Node 24. --quick leaves the demo out (about four minutes); --keep leaves the folder.
 */
import { readOptions } from '../usage.ts';
import { type Place, preparePlace } from './place.ts';
import { content, demo, help, image, nothingLeft, oldNode, running, type Step, trainAndScore } from './steps.ts';

const USAGE = `
usage: npm run test:package -- [--quick] [--keep]

Builds, packs, installs the tarball in an empty folder and tries what it holds.

  --quick   without the demo
  --keep    leaves the folder
`;
const { values } = readOptions(USAGE, { quick: { type: 'boolean' }, keep: { type: 'boolean' } });

const STEPS: readonly (readonly [string, Step])[] = [
  ['what the tarball holds', content],
  ['help and config', help],
  ['an old Node gets one line', oldNode],
  ['train and score', trainAndScore],
  ['run', running],
  ["the Dockerfile's commands", image],
  ...(values.quick === true ? [] : [['demo', demo] as const]),
  ['nothing is left behind', nothingLeft],
];

const tell = (line: string): void => void process.stdout.write(`package: ${line}\n`);
const seconds = (fromMs: number): string => `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;

/** How many steps failed; one that failed does not keep the others from being tried. */
async function tryAll(place: Place): Promise<number> {
  let failed = 0;
  for (const [name, step] of STEPS) {
    const fromMs = performance.now();
    try {
      const seen = await step(place);
      tell(`ok      ${name} (${seconds(fromMs)}): ${seen}`);
    } catch (error) {
      failed++;
      tell(`FAILED  ${name} (${seconds(fromMs)}): ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failed;
}

const fromMs = performance.now();
let place: Place | undefined;
try {
  place = await preparePlace();
  tell(`ok      built, packed, installed (${seconds(fromMs)})`);
  const failed = await tryAll(place);
  tell(failed === 0 ? `PASSED in ${seconds(fromMs)}` : `${failed} of ${STEPS.length} FAILED`);
  if (failed > 0) process.exitCode = 1;
} catch (error) {
  tell(`FAILED  to build, pack or install: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  if (values.keep === true && place !== undefined) tell(`kept: ${place.folder}`);
  else place?.remove();
}
