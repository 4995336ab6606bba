/** Waiting between attempts: longer each time, up to two seconds, so that recovery follows the end of a fault closely. */

const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** Milliseconds before attempt `attempt` (1 = the first repetition); `random` in [0, 1) spreads many clients. */
export const backoffMs = (attempt: number, random: number = Math.random()): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10)) * (0.75 + random / 4);
