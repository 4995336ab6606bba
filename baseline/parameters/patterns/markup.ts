/** Cross-site scripting, XML entities, header splitting: text that ends what a page, a document or a header line is. */
import type { PatternFamily } from './pattern.ts';

export const xss: PatternFamily = {
  id: 2,
  name: 'cross-site scripting',
  reference: 'CWE-79',
  needs: '<>(:=&',
  strong: [
    /<[ /]{0,3}(?:script|iframe|frame|frameset|object|embed|applet|svg|math|base|meta|bgsound|marquee|layer|ilayer|isindex|keygen|xss)\b/,
    /<\w{1,20}[^>]{0,300}[\s"'/]on[a-z]{3,24} ?=/,
    /(?:^|["'\s/>])on(?:error|load|click|mouse\w{2,10}|focus\w{0,3}|blur|change|submit|key\w{2,6}|toggle|begin|start|pointer\w{2,10}|animation\w{3,14}|wheel|scroll|drag\w{0,5}|copy|paste|cut|hashchange|pageshow|beforeunload|resize|unload|dblclick|contextmenu|finish|bounce) ?= ?["'\w(]/,
    /(?:java|vb|live)[\s\0]{0,3}script[\s\0]{0,3}[:#]/,
    /\bdata:text\/html/,
    /\b(?:document|window|self|top|parent|this)[.[]{1,2}["']?(?:cookie|domain|write|location|name|open|document|innerhtml)/,
    /\b(?:alert|prompt|confirm)[(`](?:['"`/\d)]|document|window|string|this|self|top|location|xss|eval|origin)/,
    /\b(?:eval|settimeout|setinterval|fromcharcode|atob|unescape)[(`]/,
    /\b(?:string\.fromcharcode|innerhtml|outerhtml|xmlhttprequest|-moz-binding|constructor\.constructor)\b/,
    /\bexpression[ /*]{0,8}\(/,
    /<(?:img|input|body|style|link|video|audio|details|form|button|a|div|table|td|image|select|textarea)\b[^>]{0,300}(?:src|href|style|action|background|dynsrc|lowsrc|formaction|code)[ ]{0,3}=/,
    /<style\b|<!\[cdata\[|<!--\[if|@import[ '"]/,
    /["'][ )]{0,3}>[^>]{0,40}</,
  ],
  hints: [/<[/!?a-z]/, /[a-z"']>/, /&[{#]/, /\w\(\)|\w\(['"]/],
};

export const xxe: PatternFamily = {
  id: 8,
  name: 'XML external entity',
  reference: 'CWE-611',
  needs: '<',
  strong: [/<!entity\b/, /<!doctype\b[^>]{0,200}(?:\[|system|public ")/, /<[^>]{0,40}xi:include\b/],
  hints: [/<\?xml\b/, /<!/],
};

export const crlf: PatternFamily = {
  id: 9,
  name: 'CRLF injection',
  reference: 'CWE-93',
  needs: '\r\n',
  strong: [
    /[\r\n][ \t]{0,4}(?:set-cookie|location|content-(?:type|length|disposition)|host|transfer-encoding|x-[a-z-]{2,30}|access-control-[a-z-]{5,20}|bcc|cc|to|mail from|rcpt to)[ ]{0,2}:/,
    /[\r\n][ \t]{0,4}(?:http\/\d|(?:get|post|put|head) \/[^ ]{0,200} http\/)/,
  ],
  hints: [/[\r\n]/],
};
