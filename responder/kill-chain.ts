/**
 * How far an attack got: the stage that each kind of finding and of abuse speaks for, and the technique of MITRE ATT&CK (Enterprise)
 * that fits it. An attempt is a probe, whatever it tries; an effect inside the system is exploitation or what follows it.
 */
import type { AbuseKind } from '../schemas/log/actor-record.ts';
import { STAGES, type Stage } from '../schemas/log/kill-chain.ts';
import type { FindingKind } from '../schemas/log/verdict.ts';

export interface KillChainStep {
  readonly stage: Stage;
  /** `T1190`; '' where none fits. */
  readonly technique: string;
}

/** Position in the chain, from 0. */
export const stageIndex = (stage: Stage): number => STAGES.indexOf(stage);

const techniques: string[] = [''];
/** All that a step may name, '' among them. */
export const TECHNIQUES: readonly string[] = techniques;

function step(stage: Stage, technique: string): KillChainStep {
  if (!techniques.includes(technique)) techniques.push(technique);
  return { stage, technique };
}

/** T1190 Exploit Public-Facing Application. */
const EXPLOIT = step('exploitation', 'T1190');
const PROBE = step('probing', 'T1190');

/** By family of attack pattern, the last part of its explanation key. */
const PATTERNS: Readonly<Record<string, KillChainStep>> = {
  // T1059 Command and Scripting Interpreter; .007 JavaScript
  'command injection': step('probing', 'T1059'),
  'template injection': step('probing', 'T1059'),
  'cross-site scripting': step('probing', 'T1059.007'),
};

/** What says nothing of how far an attack got, or is as often no attack, is null. */
const FINDINGS: Readonly<Record<FindingKind, KillChainStep | null>> = {
  // T1595 Active Scanning: somebody asks for what nobody asked for before
  'unseen-operation': step('reconnaissance', 'T1595'),
  'unseen-edge': null,
  // T1210 Exploitation of Remote Services
  'service-pair': step('lateral-movement', 'T1210'),
  'required-child': EXPLOIT,
  'required-ancestor': EXPLOIT,
  'child-set': null,
  // T1119 Automated Collection
  'fan-out': step('access', 'T1119'),
  order: null,
  'whole-tree': null,
  status: null,
  latency: null,
  'self-time': EXPLOIT,
  collective: null,
  statement: EXPLOIT,
  'attack-pattern': PROBE,
  egress: null, // by where it goes, below
  // T1595.002 Vulnerability Scanning
  parameter: step('probing', 'T1595.002'),
  'trace-id-reused': null,
  'missing-telemetry': null,
  blocked: null,
  actor: null, // by kind of abuse, below
  attribution: null,
};

const ABUSE: Readonly<Record<AbuseKind, KillChainStep>> = {
  // T1595.003 Wordlist Scanning
  scanning: step('reconnaissance', 'T1595.003'),
  // T1110 Brute Force: .004 Credential Stuffing, .003 Password Spraying
  'credential-stuffing': step('probing', 'T1110.004'),
  'password-spraying': step('probing', 'T1110.003'),
  'session-order': step('probing', ''),
  // T1078 Valid Accounts
  'privileged-route': step('access', 'T1078'),
  // T1213 Data from Information Repositories
  'object-enumeration': step('access', 'T1213'),
  // T1119 Automated Collection
  scraping: step('access', 'T1119'),
};

/** What an egress class says: `OPERATION · CLASS` (baseline/parameters/egress.ts). */
function egressStep(explanationKey: string): KillChainStep {
  const egressClass = lastPart(explanationKey);
  // T1552.005 Unsecured Credentials: Cloud Instance Metadata API
  if (egressClass.startsWith('link-local')) return step('lateral-movement', 'T1552.005');
  if (egressClass.startsWith('service:')) return step('lateral-movement', 'T1210');
  // T1090 Proxy: the service calls inner addresses for somebody outside
  if (egressClass.startsWith('loopback') || egressClass.startsWith('private')) return step('lateral-movement', 'T1090');
  // T1567 Exfiltration Over Web Service
  return step('exfiltration', 'T1567');
}

const lastPart = (explanationKey: string): string => explanationKey.slice(explanationKey.lastIndexOf(' · ') + 3);

/** T1041: what is answered leaves by the channel the client has. */
const LARGE_ANSWER = step('exfiltration', 'T1041');

/** What nobody asked for before is looking around where a client asked for it; inside, an exploit or a deployment caused the call. */
export const speaksOfStage = (finding: { kind: FindingKind; operation: string }, entryOperation: string): boolean =>
  finding.kind !== 'unseen-operation' || finding.operation === entryOperation;

export interface StagedFinding {
  readonly kind: FindingKind;
  readonly explanationKey: string;
  readonly hard: boolean;
}

/** The stage a finding speaks for; null when for none. Of kind `actor` the explanation key begins with the kind of abuse. */
export function stepOfFinding({ kind, explanationKey, hard }: StagedFinding): KillChainStep | null {
  switch (kind) {
    case 'attack-pattern':
      return PATTERNS[lastPart(explanationKey)] ?? PROBE;
    case 'egress':
      return hard ? egressStep(explanationKey) : null;
    case 'parameter':
      return lastPart(explanationKey) === 'response size' ? LARGE_ANSWER : FINDINGS.parameter;
    case 'self-time':
    case 'fan-out':
      return hard ? FINDINGS[kind] : null; // else load, or a large cart
    case 'actor':
      return stepOfAbuse(explanationKey.split(' · ', 1)[0]!);
    default:
      return FINDINGS[kind];
  }
}

/** Null when it is no kind of abuse (`attribution`, ''). */
export const stepOfAbuse = (abuse: string): KillChainStep | null =>
  Object.hasOwn(ABUSE, abuse) ? ABUSE[abuse as AbuseKind] : null;

/** A sign-in that succeeded where an actor tried many accounts: T1078 Valid Accounts. */
export const SIGNED_IN_AFTER_ATTEMPTS = step('access', 'T1078');
