// evenkeel serve: one member in this process, from its configuration file.
import { Command, Option } from 'commander'
import type { GlobalOptions, Outside } from './context.ts'
import { screenOf } from './context.ts'
import { EXIT } from './exit-code.ts'
import { parseSeconds } from './listing.ts'

interface ServeOptions {
  readonly config: string
  readonly insecure: boolean
  readonly announce?: string
  readonly lifeline: boolean
  readonly acceptDamage: boolean
  readonly acceptLoss: boolean
  readonly drainWithin: number
}

export function serveCommand(outside: Outside): Command {
  return new Command()
    .requiredOption('--config <file>', 'YAML or JSON')
    .option('--insecure', 'may listen beyond loopback, where anybody can connect', false)
    .option('--announce <host>', 'the address or name by which others reach this host')
    .option(
      '--accept-damage',
      'go on with the data folder, though acknowledged writes are missing from it; only about what no other member has in sync',
      false,
    )
    .addOption(
      new Option(
        '--accept-loss',
        'begin anew in the place of the data folder: what only it held is lost',
      )
        .default(false)
        .conflicts('acceptDamage'),
    )
    .option(
      '--drain-within <seconds>',
      'told to stop, move the sessions away first, for so long at most',
      parseSeconds,
      0,
    )
    .addOption(new Option('--lifeline', 'stop when standard input ends').default(false).hideHelp())
    .action(async (options: ServeOptions, command: Command) => {
      const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
      // Only this command needs the member; the others start faster without it.
      const { loadConfig } = await import('../member/config-file.ts')
      const { runMember } = await import('../member/main.ts')
      const { insecure, announce, acceptLoss, acceptDamage } = options
      const damage = acceptDamage ? 'damage' : 'nothing'
      const accept = acceptLoss ? 'loss' : damage
      const config = await loadConfig(options.config, { insecure, announce, accept })
      const { startMember } = await import('../member/start.ts')
      const { Systemd } = await import('../io/systemd.ts')
      const systemd = Systemd.taken(process.env, (line) => screen.note(`evenkeel: ${line}`))
      process.once('SIGTERM', () => systemd?.stopping())
      await runMember({
        config,
        start: startMember,
        drainWithinMs: 1000 * options.drainWithin,
        lifeline: options.lifeline ? process.stdin : null,
        ready: (line) => {
          const sentence = `${line.id} is ready: portal ${line.portal}, API ${line.api}`
          screen.show(line, () => sentence)
          systemd?.ready(sentence)
        },
      })
      // The member has stopped and its log is written: whatever still holds the event loop is not waited for (M2).
      process.exit(EXIT.ok)
    })
}
