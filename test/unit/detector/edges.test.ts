/** Entries whose remote parent never comes: they close after the grace where requests enter, after the absence grace elsewhere. */
import { expect, it } from 'vitest';
import { createEdges } from '../../../detector/edges.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { EPOCH_MS, tracesData } from '../traces/otlp.ts';
import { learnEntries, loadInto, newKit, searchTrace } from './traffic.ts';

it("a mobile client's own trace context does not delay the verdict", () => {
  const kit = newKit();
  const baseline = loadInto(learnEntries(600), kit);
  const closed: string[] = [];
  const assembler = createAssembler(assemblySection.parse({ graceMs: 1_000, absenceGraceMs: 10_000 }), {
    sink: {
      closed: (spans, stage) => closed.push(`${spans.traceId.slice(-2)} ${stage}`),
      withdrawn: () => {},
      settled: () => {},
      reused: () => {},
      forgotten: () => {},
    },
    isEdge: createEdges((appendMs) => (appendMs < EPOCH_MS ? null : baseline), kit.reader).isEdge,
  });
  const add = (offset: number, appendMs: number, ...spans: ReturnType<typeof searchTrace>): void => {
    assembler.add(0, offset, appendMs, tracesData(spans));
  };
  const [entry, ...inner] = searchTrace(0xa0, 0, '198.51.100.1');
  const remote = { ...entry!, parent: 'feedfacefeedface', flags: 0x300 };
  add(1, EPOCH_MS, remote, ...inner);
  const late = searchTrace(0xb0, 0, '198.51.100.1');
  add(2, EPOCH_MS, ...late.slice(2)); // the caller's spans are late: no request enters there
  assembler.advance(0, EPOCH_MS + 3_000);
  expect(closed).toEqual(['a1 closed']);
  assembler.advance(0, EPOCH_MS + 30_000);
  expect(closed).toEqual(['a1 closed', 'a1 absence', 'b1 absence']);
});

it('before the first version nothing is known to be an edge', () => {
  const { isEdge, isUninvited } = createEdges(() => null, newKit().reader);
  const place = { bytes: new Uint8Array(0), resourceStart: 0, resourceEnd: 0, spanStart: 0, spanEnd: 0 };
  expect([isEdge(place, EPOCH_MS), isUninvited(place, place, EPOCH_MS)]).toEqual([false, false]);
});
