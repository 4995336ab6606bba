/** Path traversal, command injection, SSRF targets: text that names something of the host or its network. */
import type { PatternFamily } from './pattern.ts';

export const traversal: PatternFamily = {
  id: 3,
  name: 'path traversal',
  reference: 'CWE-22',
  needs: './\\:\0',
  strong: [
    /(?:^|[\\/=;:])\.{2,}[\\/;]|[\\/]\.{2}(?:[\\/;]|$)/,
    /\.\.(?:%2f|%5c|%c0|%u2215|0x2f|0x5c)|0x2e0x2e|%2e%2e|%c0%ae|%252e/,
    /\/etc\/(?:passwd|shadow|group|hosts|hostname|issue|fstab|crontab|sudoers|ssh|nginx|apache2|httpd|mysql|my\.cnf|motd|profile|security)\b/,
    /\/proc\/(?:self|version|cmdline|\d{1,7})\b/,
    /\b[c-e]:[\\/]{1,2}(?:windows|winnt|boot|inetpub|users|program|autoexec|documents|system)/,
    /\b(?:boot|win|system|php|desktop)\.ini\b|\bweb\.(?:config|xml)\b|\bweb-inf\b|\.ht(?:access|passwd)\b|\bwp-config\b|\bid_[rd]sa\b|\/\.(?:ssh|git|aws|env|svn)\b/,
    /\b(?:php|file|expect|zip|phar|glob|compress\.\w{3,6}):\/\//,
    /\0/,
  ],
  hints: [
    /^[\\/]{1,2}[\w.{-]/,
    /\.{3,}/,
    /\.(?:bak|old|orig|inc|cgi|sql|log|conf|asa|swp|jsp|asp|php)\b/,
    /[\\/]{2,}/,
    /\\/,
  ],
};

/** What ends a command and starts another. A lone `&` with a blank after it is English ("salt & pepper"). */
const SEPARATOR = String.raw`(?:[;|\n\x60]|&&|&(?! )|\$\()[ \t"'+]{0,6}`;
const SHELL =
  '(?:uname|whoami|wget|ncat|netcat|bash|zsh|ksh|powershell|pwsh|ifconfig|ipconfig|nslookup|netstat|chmod|chown|tasklist|systeminfo|printenv|certutil|bitsadmin|regsvr32|rundll32|mshta|phpinfo)';
/** Too short to be sure: they must end there, or take an argument. */
const SHORT = '(?:n?id|ls|cat|sh|nc|cmd|pwd|w|ps|dir|ver|vol|rm|env|curl|telnet|ssh|dig|nmap|xterm)';
/** English has them too: they must take an argument a shell would take, or be ended by another separator. */
const WORD =
  '(?:ping|sleep|type|net|echo|python3?|perl|php|ruby|node|more|tail|head|touch|kill|set|reboot|shutdown|find|grep|which|expr|mail|date|del|copy|host)';
const ARGUMENT = String.raw`[ \t+]{1,3}(?:[-/\\~.$*"'\d]|[a-z]:)`;
const ENDED = String.raw`[ ]?[;|&)\x60]`;

export const command: PatternFamily = {
  id: 4,
  name: 'command injection',
  reference: 'CWE-78',
  needs: ';|&`$\n>/(!<',
  strong: [
    new RegExp(String.raw`${SEPARATOR}${SHELL}(?:\W|$)`),
    new RegExp(`${SEPARATOR}${SHORT}(?:${ARGUMENT}|${ENDED}|$)`),
    new RegExp(`${SEPARATOR}${WORD}(?:${ARGUMENT}|${ENDED})`),
    /\/(?:usr\/)?(?:local\/)?s?bin\/[a-z]/,
    /\$\([ ]{0,3}[a-z/]|`[a-z/][^`]{0,100}`/,
    /\$\{?ifs\b|\/dev\/(?:tcp|udp|null)\b|\bcmd(?:\.exe)? ?\/[ck]\b|%(?:comspec|systemroot|programfiles)%/,
    /\b(?:system|exec|passthru|shell_exec|popen|proc_open|pcntl_exec|execsync|subprocess\.\w{2,12})\(["'$/\\]|getruntime\(\)\.exec|\bnew processbuilder|\bchild_process\b|\bos\.system\b/,
    /<!--[ ]{0,3}#(?:exec|include|echo|printenv|config)\b/,
    /\(\) ?\{ ?:?;? ?\}/,
  ],
  hints: [/[;|&`][ ]{0,3}[a-z/]/, /\|\||&&|\|$|;$/, /\$\w/],
};

export const ssrf: PatternFamily = {
  id: 10,
  name: 'server-side request forgery target',
  reference: 'CWE-918',
  needs: ':.',
  strong: [
    /\b169\.254\.\d{1,3}\.\d{1,3}\b|\bmetadata\.google\b|\b100\.100\.100\.200\b|fd00:ec2::254|latest\/meta-data/,
    /\b[a-z]{2,10}:\/{2}(?:[^/@ ]{0,100}@)?(?:localhost\b|127\.\d|0\.0\.0\.0|10\.\d{1,3}\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[?::|\[?f[cd][0-9a-f]{2}:|\[?fe80:|0x7f|0177\.|2130706433|[\w-]{1,60}\.(?:internal|local|svc|cluster\.local|localdomain)\b)/,
    /\b(?:gopher|dict|ldaps?|tftp|jar|netdoc|sftp|rmi):\/\//,
  ],
  hints: [/\b[a-z]{2,10}:\/\//, /\blocalhost\b|\b127\.0\.0\.1\b/],
};
