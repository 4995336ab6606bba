/** `spanwarden config check|show`: is the configuration right, and what is in force? */
import { stringify } from 'yaml';
import { planForeign } from '../collector/foreign/plan.ts';
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { maskConfig } from '../runtime/config/mask.ts';
import { checkLog } from '../runtime/log/create.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';

export const config: Command = {
  summary: 'check the configuration, or show the one in force',
  help: `
usage: spanwarden config check [--config FILE]
       spanwarden config show  [--config FILE]

check   says nothing but 'ok' when every setting is known and within its bounds; else one line a problem, exit code 2
show    prints the configuration in force as YAML: defaults, file, environment; secrets are masked

--config FILE   the YAML file (default: the one SPANWARDEN_CONFIG names, else none)
`,
  async run(args) {
    const { values, positionals } = parse(args, { config: { type: 'string' } });
    const [what, ...extra] = positionals;
    if ((what !== 'check' && what !== 'show') || extra.length > 0) throw new UsageError('config takes check or show');
    const loaded = loadConfig({ file: values.config, env: processEnvironment() });
    if (what === 'check') {
      checkLog(loaded);
      planForeign(loaded.collector, loaded.kafka);
    }
    process.stdout.write(what === 'check' ? 'ok\n' : stringify(maskConfig(loaded)));
    return ExitCode.ok;
  },
};
