/** Text that a template engine, a logger or a deserialiser runs. */
import type { PatternFamily } from './pattern.ts';

export const jndi: PatternFamily = {
  id: 5,
  name: 'JNDI lookup',
  reference: 'CVE-2021-44228',
  needs: '$',
  strong: [
    /\$\{[^}]{0,80}(?:jndi|lower:|upper:|env:|sys:|::-|date:|ctx:|main:|base64:)/,
    /\bjndi:(?:ldaps?|rmi|dns|iiop|https?|nis|corba)\b/,
  ],
  hints: [],
};

export const template: PatternFamily = {
  id: 6,
  name: 'template injection',
  reference: 'CWE-1336',
  needs: '{<#',
  strong: [
    /(?:\{\{|\$\{|#\{|\*\{|@\{|<%=?|\{%)[^}%]{0,80}(?:\d ?[*+-] ?['"]?\d|__\w{2,20}__|\bself\b|\bconfig\b|\brequest\b|\bcycler\b|\bjoiner\b|\blipsum\b|\bt\(|\bclass\b|\bgetclass\b|\bruntime\b|\bconstructor\b|\bimport\b|\bsystem\b|\bexec\b|\bfreemarker\b|\bnew )/,
    /__(?:class|mro|subclasses|globals|builtins|init|import)__/,
    /<#(?:assign|import|include)\b|\$\{t\(java/,
  ],
  hints: [/\{\{|\$\{|#\{|<%|\{%/, /\{\w{1,30}\}/],
};

export const deserialisation: PatternFamily = {
  id: 7,
  name: 'deserialisation',
  reference: 'CWE-502',
  needs: ':_0.[!/$',
  strong: [
    /\bro0ab[\w+/]|\baced0005/,
    /(?:^|[;{ "])[oc]:\d{1,6}:"[\w\\]{1,100}":\d/,
    /(?:^|[;{ "])a:\d{1,6}:\{[isobdan]:/,
    /__proto__|\bconstructor(?:\.prototype|\[["']?prototype)/,
    /!!(?:python|java|javax|ruby)[/.]|!ruby\/(?:object|hash)/,
    /_\$\$nd_func\$\$_/,
    /["'](?:@type|\$type|@class|java\.class)["'] ?: ?["'][\w.$]{3,}/,
    /aaeaaad\/{5}/,
    /\bc(?:os|posix|subprocess|builtins|__builtin__)\n(?:system|popen|eval|exec)\b/,
    /\b(?:java\.lang\.(?:runtime|processbuilder|class)|javax\.script|classloader|objectinputstream|templatesimpl)\b/,
  ],
  hints: [],
};
