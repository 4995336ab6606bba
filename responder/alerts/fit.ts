/** A body that no receiver refuses for its size: when it is too large, what is told elsewhere too goes first. */
import type { AlertBody, AlertData, BodyStory } from './alert-body.ts';

/** Half of what the topic of findings and common receivers take. */
export const MAX_BODY_BYTES = 512_000;

const withStory = (data: AlertData, change: (story: BodyStory) => BodyStory): AlertData =>
  data.story === undefined ? data : { ...data, story: change(data.story) };

/** In this order; each leaves a body that the schema allows. */
const SMALLER: readonly ((data: AlertData) => AlertData)[] = [
  (data) => withStory(data, (story) => ({ ...story, evidence: story.evidence.slice(0, 3), similar: [] })),
  (data) =>
    withStory(data, (story) => ({ ...story, expected: story.expected.slice(0, 10), seen: story.seen.slice(0, 10) })),
  (data) =>
    withStory(data, (story) => ({
      ...story,
      timeline: story.timeline.slice(-4),
      timelineLeftOut: story.timelineLeftOut + Math.max(0, story.timeline.length - 4),
    })),
  (data) => ({ ...data, ...(data.members && { members: data.members.slice(0, 50) }) }),
  (data) => ({ ...data, ...(data.findings && { findings: data.findings.slice(0, 8) }) }),
  (data) => ({
    ...withStory(data, (story) => ({ ...story, reached: [], tables: [], fields: [] })),
    ...(data.members && { members: data.members.slice(0, 10) }),
    ...(data.client && { client: { ...data.client, others: data.client.others.slice(0, 8) } }),
  }),
];

/** Its JSON text. */
export function fitted(body: AlertBody): string {
  let text = JSON.stringify(body);
  let { data } = body;
  for (const smaller of SMALLER) {
    if (Buffer.byteLength(text) <= MAX_BODY_BYTES) break;
    data = smaller(data);
    text = JSON.stringify({ ...body, data });
  }
  return text;
}
