// What a script says while it works: a line when something long begins, a line with the time when it is done.

/** @typedef {(line: string) => void} Say */

/** @param {number} since of performance.now() */
export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * @param {string} name
 * @returns {Say} one line each, under the script's name, on stderr: stdout belongs to what the script starts
 */
export const speaker = (name) => (line) => console.error(`[${name}] ${line}`);

/**
 * @template T
 * @param {Say} say
 * @param {string} doing
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 */
export async function step(say, doing, act) {
  const start = performance.now();
  say(`${doing} ...`);
  const result = await act();
  say(`${doing}: ${seconds(start)}`);
  return result;
}
