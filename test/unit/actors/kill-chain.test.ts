import { describe, expect, it } from 'vitest';
import { FAMILIES } from '../../../baseline/parameters/patterns/matcher.ts';
import { speaksOfStage, stageIndex, stepOfAbuse, stepOfFinding } from '../../../responder/kill-chain.ts';
import { ABUSE_KINDS } from '../../../schemas/log/actor-record.ts';
import { FINDING_KINDS } from '../../../schemas/log/verdict.ts';

const found = (kind: (typeof FINDING_KINDS)[number], explanationKey: string, hard = true) =>
  stepOfFinding({ kind, explanationKey, hard });

describe('stages of findings and of abuse', () => {
  it('go from reconnaissance to exfiltration', () => {
    const stages = [
      stepOfAbuse('scanning'),
      found('attack-pattern', 'gateway GET /search · q · SQL injection'),
      found('statement', 'GET /search · search SELECT orders'),
      found('service-pair', 'search → billing'),
      stepOfAbuse('object-enumeration'),
      found('egress', 'POST /import · public:paste.example:443'),
    ].map((step) => stageIndex(step!.stage));
    expect(stages).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('every kind of abuse has one', () => {
    for (const abuse of ABUSE_KINDS) expect(stepOfAbuse(abuse)).not.toBeNull();
    for (const none of ['attribution', '', 'constructor', '__proto__']) expect(stepOfAbuse(none)).toBeNull();
  });

  it('techniques are of the form of ATT&CK, or empty', () => {
    for (const kind of FINDING_KINDS)
      for (const key of ['', 'op · public:x', ...FAMILIES.map(({ name }) => `op · q · ${name}`)])
        expect(found(kind, key)?.technique ?? '').toMatch(/^(T\d{4}(\.\d{3})?)?$/);
  });

  it('an egress class says whether it leads inwards or outwards', () => {
    expect(found('egress', 'POST /fetch · link-local:80')).toEqual({
      stage: 'lateral-movement',
      technique: 'T1552.005',
    });
    expect(found('egress', 'POST /fetch · private:address:6379')?.stage).toBe('lateral-movement');
    expect(found('egress', 'POST /fetch · public:address:443')?.stage).toBe('exfiltration');
    expect(found('egress', 'POST /fetch · public:name', false)).toBeNull();
  });

  it('says nothing of load, telemetry and our own mistakes', () => {
    for (const kind of ['latency', 'collective', 'missing-telemetry', 'attribution', 'status'] as const)
      expect(found(kind, 'x')).toBeNull();
    expect(found('self-time', 'x', false)).toBeNull();
    expect(found('fan-out', 'x', false)).toBeNull();
  });

  it('an actor’s finding has the stage of its abuse', () => {
    expect(found('actor', 'credential-stuffing · POST /login')?.technique).toBe('T1110.004');
  });
});

it('an operation never seen is looking around only where a client asked for it', () => {
  const finding = { kind: 'unseen-operation', operation: 'GET /.env' } as const;
  expect(speaksOfStage(finding, 'GET /.env')).toBe(true);
  expect(speaksOfStage(finding, 'POST /coupon')).toBe(false);
  expect(speaksOfStage({ ...finding, kind: 'statement' }, 'POST /coupon')).toBe(true);
});
