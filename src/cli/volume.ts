// evenkeel volume create | list | show | delete
import { Command, InvalidArgumentError } from 'commander'
import type { Volume, VolumeDetail } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import { overPromise } from './promise.ts'
import type { Screen } from './screen.ts'
import { formatSize, parseSize } from './size.ts'

interface CreateOptions {
  readonly size: number
  readonly shared: boolean
  readonly block: 512 | 4096
}

export function volumeCommand(contextOf: ContextOf): Command {
  const volume = new Command('volume').description('volumes: what initiators see as disks')
  volume
    .command('create')
    .description('create a volume')
    .argument('<name>')
    .requiredOption('--size <size>', '1G, 512M, 1.5T, or bytes', parseSize)
    .option('--shared', 'for sessions of several initiator names at once', false)
    .option('--block <bytes>', 'logical block: 512 or 4096', parseBlock, 512)
    .action(async (name: string, { size, shared, block }: CreateOptions, command: Command) => {
      const { caller, screen } = contextOf(command)
      const made = await caller.createVolume({ name, bytes: size, blockBytes: block, shared })
      const more = overPromise(await caller.status())
      screen.show(
        made,
        (detail) =>
          `Created ${detail.name} (${formatSize(detail.bytes)}): ${detail.url}${more === null ? '' : `\n${more}`}`,
      )
    })
  volume
    .command('list')
    .description('list volumes')
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.volumes(), ({ items }) => volumeTable(screen, items))
    })
  volume
    .command('show')
    .description('show a volume: its lanes, and what is allocated where')
    .argument('<name>')
    .action(async (name: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.volume(name), (detail) => describeVolume(screen, detail))
    })
  volume
    .command('delete')
    .description('delete a volume that has no sessions, with all its bytes')
    .argument('<name>')
    .action(async (name: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.deleteVolume(name), (gone) => `Deleted ${gone.name}.`)
    })
  return volume
}

function parseBlock(text: string): 512 | 4096 {
  if (text === '512') return 512
  if (text === '4096') return 4096
  throw new InvalidArgumentError('A logical block has 512 or 4096 bytes.')
}

function volumeTable(screen: Screen, items: readonly Volume[]): string {
  if (items.length === 0)
    return "There are no volumes; 'evenkeel volume create NAME --size 1G' makes one."
  return screen.table(
    ['NAME', 'SIZE>', 'BLOCK>', 'SHARED', 'SESSIONS>', 'URL'],
    items.map(({ name, bytes, blockBytes, shared, sessions, url }) => [
      name,
      formatSize(bytes),
      String(blockBytes),
      shared ? 'yes' : 'no',
      String(sessions),
      url,
    ]),
  )
}

function describeVolume(screen: Screen, detail: VolumeDetail): string {
  const {
    name,
    iqn,
    url,
    bytes,
    blockBytes,
    physicalBlockBytes,
    shared,
    sessions,
    lanes,
    byMember,
  } = detail
  const allocated = byMember.reduce((sum, { bytes: here }) => sum + (here ?? 0), 0)
  return [
    screen.facts([
      ['name', name],
      ['iqn', iqn],
      ['url', url],
      ['size', `${formatSize(bytes)}, thin: ${formatSize(allocated)} allocated`],
      ['blocks', `${blockBytes} bytes logical, ${physicalBlockBytes} physical`],
      ['shared', shared ? 'yes' : 'no: sessions of one initiator name only'],
      ['sessions', String(sessions)],
      ['created', detail.createdAt],
    ]),
    '',
    screen.table(
      ['LANE>', 'SLICE>', 'PRIMARY', 'EPOCH>'],
      lanes.map(({ lane, slice, primary, epoch }) => [
        String(lane),
        String(slice),
        primary,
        String(epoch),
      ]),
    ),
    '',
    screen.table(
      ['MEMBER', 'PAGES>', 'BYTES>'],
      byMember.map(({ member, pages, bytes: here }) => [
        member,
        pages === null ? 'silent' : String(pages),
        here === null ? 'silent' : formatSize(here),
      ]),
    ),
  ].join('\n')
}
