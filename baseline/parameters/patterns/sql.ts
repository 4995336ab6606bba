/** SQL and NoSQL injection. English uses "select", "or" and quotes too: strong forms need SQL's own punctuation. */
import type { PatternFamily } from './pattern.ts';

const COMPARISON = String.raw`(?:=|<|>|!=|\blike\b|\brlike\b|\bregexp\b|\bbetween\b|\bin ?\(|\bis (?:not )?null)`;

export const sql: PatternFamily = {
  id: 1,
  name: 'SQL injection',
  reference: 'CWE-89',
  needs: '',
  strong: [
    // or 1=1 · and '1'='1 · having (7=7
    new RegExp(
      String.raw`(?:\b(?:or|and|xor|not|having|where|when|if|on)\b|\|\||&&)[ ('"!~+-]{0,12}\d{1,18}[ ')"]{0,6}${COMPARISON}`,
    ),
    new RegExp(String.raw`\b(?:or|and|xor|having|where|when)\b[ (]{0,8}['"][^'"]{0,40}['"][ )]{0,4}${COMPARISON}`),
    // ' or a=a · ") and (select
    new RegExp(String.raw`['"\x60%)][ )]{0,8}\b(?:or|and|xor|having|where|rlike|like)\b.{0,60}${COMPARISON}`),
    /['"`)\d][ )]{0,8}\b(?:union\b|having \d|order by \d|group by |procedure analyse|rlike \(|waitfor |limit \d+[ ,]|offset \d)/,
    /['"`)][ )]{0,8}(?:or|and) [\w.( ]{0,30}\bselect\b/,
    /\bunion[ (+]{1,10}(?:all|distinct)?[ (+]{0,10}select\b/,
    /\bselect[ (]{1,6}(?:\*|[\w.]{1,40} ?,|\w{1,30} ?\(|null\b|@@|\d|'|"|case |distinct |top \d)/,
    /\(select \w{1,40}(?: from | ?\(|\))/,
    /['"][ )]{0,8};?(?:--|#)/,
    /['"][ )]{0,6}(?:\|\||\+ ?(?:char|chr|select)\b|;)(?: ?\(| ?['"]| ?\w)/,
    /(?:^|[;'")\d] ?)(?:;|\bgo\b) ?(?:select|insert|update|delete|drop|create|alter|exec|execute|declare|shutdown|truncate|call|begin|waitfor|copy|if)\b[ (]/,
    /\b(?:sleep|benchmark|pg_sleep|extractvalue|updatexml|load_file|randomblob|make_set|elt|regexp_substring|xmltype|json_keys|substr|substring|mid|ascii|chr|char)\(['"]?(?:\d|\(|0x|null\b|select\b|concat\b|user\b|database\b|version\b|char\(|chr\(|@@)/,
    /\b(?:group_concat|concat|concat_ws|cast|convert|hex|ord|exp|iif|count|length|row|floor|if|rand)\((?:\(|0x|'|"|char\(|chr\(|select\b|user\(|database\(|version\(|@@|~|\*\)|rand\(|\d{1,10}[,=])/,
    /\b(?:user|database|version|current_user|system_user|schema)\(\)/,
    /\b(?:dbms_\w{2,30}|utl_\w{2,30}|ctxsys|xp_\w{2,30}|sp_(?:executesql|oacreate|password))\b/,
    /\b(?:information_schema|sqlite_master|pg_catalog|sysobjects|syscolumns|sysusers|sysibm|msysaccessobjects|rdb\$\w+|all_tables|user_tables|mysql\.user|pg_user|pg_shadow)\b/,
    /\bwaitfor (?:delay|time) ?['"(]/,
    /\binto (?:outfile|dumpfile) ?['"]/,
    /\b(?:insert into [\w.]{1,60} ?(?:\(|values|select)|delete from [\w.]{1,60} ?(?:where\b|;|--)|update [\w.]{1,60} set [\w.]{1,60} ?=|(?:drop|truncate|alter) (?:table|database|schema|user|view)\b|create (?:table|user|database|function) \w)/,
    /\bexec(?:ute)?(?: immediate)?[ (]{1,4}(?:master|xp_|sp_|char\(|@|')/,
    /\bcase when\b.{1,80}\bthen\b/,
  ],
  hints: [
    /\b(?:union|select|insert|delete|update|drop|having|waitfor|exec|procedure|outfile|dumpfile|rownum|benchmark|sysdate|sleep|xor|rlike)\b/,
    /\b(?:order|group) by\b/,
    /--(?: |-|$)|[)\d] ?#$/,
    /\b(?:sleep|user|database|version|ascii|char|concat|count|length|substr)\(/,
    /\b0x[0-9a-f]{6,}/,
    /\b(?:or|and|where)\b[ ('"]{0,8}[\w.]{1,40}['" )]{0,4}(?:=|<|>|\blike\b)/,
    /['"][ )]{0,6}\b(?:or|and)\b/,
  ],
};

export const nosql: PatternFamily = {
  id: 11,
  name: 'NoSQL operator',
  reference: 'CWE-943',
  needs: '$=|;',
  strong: [
    /(?:^|["'[{., ])\$(?:ne|eq|gte?|lte?|n?in|regex|where|exists|n?or|and|not|elemmatch|expr|function|accumulator|jsonschema)\b["'\] ]{0,3}(?:[:=\]]|$)/,
    /['"][ )]{0,4}(?:\|\||&&) ?['"]?\w{1,20}['"]? ?={2,3}/,
    /['"; ]return ?(?:true|\(|this\.|1\b)/,
    /\bthis\.\w{1,40} ?(?:={1,3}|!=|\.match)/,
  ],
  hints: [/\$[a-z]{2,12}\b/],
};
