// evenkeel volume create | list | show | resize | rename | delete

import { Command, InvalidArgumentError } from 'commander'
import type { SliceState } from '../api/layout-schema.ts'
import type { Volume, VolumeDetail } from '../api/schema.ts'
import { formatSize } from '../base/figures.ts'
import { LOGICAL_BLOCKS, type LogicalBlockBytes } from '../base/sizes.ts'
import { ageOf } from './age.ts'
import type { Column } from './columns.ts'
import type { ContextOf, Outside } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { listing } from './listing.ts'
import { named } from './names.ts'
import { overPromise } from './promise.ts'
import type { Screen } from './screen.ts'
import { parseSize } from './size.ts'

const COLUMNS: readonly Column<Volume>[] = [
  { head: 'NAME~', cell: ({ name }) => name },
  { head: 'SIZE>', cell: ({ bytes }) => formatSize(bytes), rank: ({ bytes }) => bytes },
  { head: 'BLOCK>', cell: ({ blockBytes }) => String(blockBytes) },
  { head: 'SHARED', cell: ({ shared }) => (shared ? 'yes' : 'no') },
  { head: 'SESSIONS>', cell: ({ sessions }) => String(sessions), rank: ({ sessions }) => sessions },
  {
    head: 'AGE>',
    cell: ({ createdAt }) => ageOf(createdAt),
    rank: ({ createdAt }) => -Date.parse(createdAt),
  },
  { head: '+ID>', cell: ({ id }) => id },
  { head: '+URL', cell: ({ url }) => url },
  { head: '+CREATED', cell: ({ createdAt }) => createdAt },
]

interface CreateOptions {
  readonly size: number
  readonly shared: boolean
  readonly block: LogicalBlockBytes
}

export function volumeCommand(contextOf: ContextOf): Command {
  const volume = new Command()
  volume
    .command('create')
    .description('create a volume')
    .argument('<name>')
    .requiredOption('--size <size>', '1G, 512M, 1.5T, or bytes', parseSize)
    .option(
      '--shared',
      'for several hosts at once, by name or address: live migration, cluster file systems',
      false,
    )
    .option('--block <bytes>', `logical block: ${LOGICAL_BLOCKS.join(' or ')}`, parseBlock, 512)
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
  listing(volume.command('list').alias('ls').description('list volumes'), contextOf, {
    columns: COLUMNS,
    filters: [],
    none: "There are no volumes; 'evenkeel volume create NAME --size 1G' makes one.",
    ask: (caller) => caller.volumes(),
  })
  volume
    .command('show')
    .description('show a volume, and what is allocated where; its lanes with -o wide')
    .argument('<name>')
    .action(async (name: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const detail = await named(caller, 'volume', name, (whole) => caller.volume(whole))
      screen.show(detail, (one) => describeVolume(screen, one))
    })
  volume
    .command('resize')
    .description('let a volume grow; its sessions are told, and nothing is interrupted')
    .argument('<name>', 'in full')
    .argument('<size>', 'its new size, or +SIZE for so much more', parseNewSize)
    .action(async (name: string, { bytes, more }: NewSize, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const before = (await caller.volume(name)).bytes
      const grown = await caller.changeVolume(name, { bytes: more ? before + bytes : bytes })
      const promise = overPromise(await caller.status())
      screen.show(grown, (detail) =>
        [describeGrowth(detail, before), ...(promise === null ? [] : [promise])].join('\n'),
      )
    })
  volume
    .command('rename')
    .description('give a volume another name; its target name stays, so no initiator notices')
    .argument('<name>', 'in full')
    .argument('<new-name>')
    .action(async (name: string, newName: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(
        await caller.changeVolume(name, { name: newName }),
        (detail) => `Renamed ${name} to ${detail.name}. Its target name stays: ${detail.iqn}`,
      )
    })
  volume
    .command('delete')
    .alias('rm')
    .description('delete a volume that has no sessions, with all its bytes')
    .argument('<name>', 'in full')
    .option('-y, --yes', 'do not ask; needed where nobody can be asked', false)
    .action(async (name: string, { yes }: { yes: boolean }, command: Command) => {
      const { caller, screen, outside } = contextOf(command)
      if (!yes) await ask(outside, await caller.volume(name))
      screen.show(await caller.deleteVolume(name), (gone) => `Deleted ${gone.name}.`)
    })
  return volume
}

/** Throws unless the operator at the terminal says yes. */
async function ask({ keyboard }: Outside, volume: VolumeDetail): Promise<void> {
  const { name, bytes, byMember } = volume
  if (keyboard === null) {
    throw new CommandFailed(
      EXIT.usage,
      `nobody can be asked whether ${name} may be deleted: say --yes if it may`,
    )
  }
  const written = byMember.reduce((sum, { bytes: here }) => sum + (here ?? 0), 0)
  const answer = await keyboard.ask(
    `Delete volume ${name} (${formatSize(bytes)}, ${formatSize(written)} written) with all its bytes? [y/N] `,
  )
  if (answer === null || !/^y(es)?$/i.test(answer.trim())) {
    throw new CommandFailed(EXIT.failed, `${name} was not deleted`)
  }
}

interface NewSize {
  readonly bytes: number
  /** It is added to what the volume has. */
  readonly more: boolean
}

function parseNewSize(text: string): NewSize {
  const more = text.startsWith('+')
  return { bytes: parseSize(more ? text.slice(1) : text), more }
}

function describeGrowth({ name, bytes, sessions }: VolumeDetail, before: number): string {
  if (bytes === before) return `${name} has ${formatSize(bytes)} already.`
  const told =
    sessions === 0
      ? ''
      : ` Its ${sessions === 1 ? 'session is' : `${sessions} sessions are`} told; a Linux host looks again with 'iscsiadm -m session --rescan'.`
  return `${name} has ${formatSize(bytes)} now (it had ${formatSize(before)}).${told}`
}

function parseBlock(text: string): LogicalBlockBytes {
  const known = LOGICAL_BLOCKS.find((bytes) => String(bytes) === text)
  if (known !== undefined) return known
  throw new InvalidArgumentError(`A logical block has ${LOGICAL_BLOCKS.join(' or ')} bytes.`)
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
  const written = byMember.reduce((sum, { bytes: here }) => sum + (here ?? 0), 0)
  const taken = byMember.reduce((sum, { takenBytes }) => sum + (takenBytes ?? 0), 0)
  return [
    screen.facts([
      ['name', name],
      ['iqn', iqn],
      ['url', url],
      ['size', formatSize(bytes)],
      ['written', `${formatSize(written)}${allCopies(lanes)}`],
      ['taken', `${formatSize(taken)} of the members' disks`],
      ['copies', copiesOf(lanes)],
      ['blocks', `${blockBytes} bytes logical, ${physicalBlockBytes} physical`],
      [
        'shared',
        shared ? 'yes' : 'no: sessions of one host only (one initiator name at one address)',
      ],
      ['sessions', String(sessions)],
      ['created', detail.createdAt],
    ]),
    '',
    screen.table(
      ['MEMBER', 'PAGES>', 'WRITTEN>', 'TAKEN>'],
      byMember.map(({ member, pages, bytes: here, takenBytes }) => [
        member,
        pages === null ? 'silent' : String(pages),
        here === null ? 'silent' : formatSize(here),
        takenBytes === null ? 'silent' : formatSize(takenBytes),
      ]),
    ),
    ...(screen.form === 'wide' ? ['', laneTable(screen, lanes)] : []),
  ].join('\n')
}

function laneTable(screen: Screen, lanes: VolumeDetail['lanes']): string {
  return screen.table(
    ['LANE>', 'SLICE>', 'PRIMARY', 'IN SYNC', 'WANTED', 'STATE', 'EPOCH>'],
    lanes.map(({ lane, slice, primary, epoch, inSync, wanted, state }) => [
      String(lane),
      String(slice),
      primary,
      inSync.join(' '),
      wanted.join(' '),
      STATES[state],
      String(epoch),
    ]),
  )
}

const STATES: Readonly<Record<SliceState, string>> = {
  ...{ whole: 'whole', degraded: 'degraded', lastCopy: 'last copy', unavailable: 'unavailable' },
}

/** What members have of a volume is told with each copy. */
function allCopies(lanes: VolumeDetail['lanes']): string {
  return lanes.some(({ inSync }) => inSync.length > 1) ? ', all copies together' : ''
}

/** How many there are of each slice, and what is not as it should be. */
function copiesOf(lanes: VolumeDetail['lanes']): string {
  const count = Math.max(...lanes.map(({ wanted }) => wanted.length))
  if (count === 1) return '1 of each slice'
  const odd = (['unavailable', 'lastCopy', 'degraded'] as const).flatMap((state) => {
    const some = lanes.filter((lane) => lane.state === state).length
    return some === 0 ? [] : [`${some} ${STATES[state]}`]
  })
  return odd.length === 0
    ? `${count} of each slice, all in sync`
    : `${count} of each slice; of ${lanes.length} slices ${odd.join(', ')} (-o wide)`
}
