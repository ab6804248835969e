// Records as they are stored, checked field by field: a record that this version cannot vouch for is not used.
//
// Each function returns the record, or a sentence that says what is wrong with it. Fields it does not know are dropped:
// only a group of a newer format may have them, and that is refused as a whole.
import { epoch, generation, memberId, revision, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { LOGICAL_BLOCKS } from '../base/sizes.ts'
import {
  type FolderRecord,
  type GroupRecord,
  type MemberRecord,
  type MovePrediction,
  type MoveRecord,
  type OpenMove,
  RECORD_FORMAT,
  type SessionRecord,
  type SliceRecord,
  type VolumeRecord,
} from './record.ts'
import { refuseSlice } from './slices.ts'

export function parseGroup(value: string): GroupRecord | string {
  return parse('the group', value, (fields) => {
    const format = fields.integer('format', 1)
    if (format !== RECORD_FORMAT) {
      const what =
        format > RECORD_FORMAT
          ? `this version of Evenkeel knows format ${RECORD_FORMAT}. Use a newer one.`
          : 'it was made by an earlier development version. Start with a new data folder.'
      throw new Malformed(`The group ${fields.text('name')} has record format ${format}; ${what}`)
    }
    return {
      format: RECORD_FORMAT,
      name: fields.text('name'),
      groupId: fields.text('groupId'),
      incarnation: fields.text('incarnation'),
      lineage: fields.list('lineage').map((earlier) => ({
        incarnation: earlier.text('incarnation'),
        endedAt: revision(earlier.integer('endedAt', 1)),
      })),
      slices: fields.integer('slices', 1),
      namingAuthority: fields.text('namingAuthority'),
    }
  })
}

export function parseMember(value: string): MemberRecord | string {
  return parse('a member', value, (fields) => ({
    id: memberId(fields.text('id')),
    bootId: fields.text('bootId'),
    portal: fields.string('portal'),
    peer: fields.string('peer'),
    api: fields.string('api'),
    draining: fields.flag('draining'),
  }))
}

export function parseFolder(value: string): FolderRecord | string {
  return parse('a data folder', value, (fields) => ({
    folderId: fields.text('folderId'),
    position: fields.integer('position', 0),
    openAs: fields.has('openAs') ? fields.text('openAs') : null,
    at: fields.string('at'),
  }))
}

export function parseVolume(value: string): VolumeRecord | string {
  return parse('a volume', value, (fields): VolumeRecord => {
    const volume: VolumeRecord = {
      id: volumeId(fields.integer('id', 1)),
      name: fields.text('name'),
      iqn: fields.text('iqn'),
      bytes: fields.integer('bytes', 1),
      blockBytes: fields.oneOf('blockBytes', LOGICAL_BLOCKS),
      shared: fields.flag('shared'),
      lanes: fields.integers('lanes').map(sliceId),
      view: fields.integer('view', 1),
      createdAt: fields.string('createdAt'),
    }
    if (volume.lanes.length === 0) return fields.wrong('lanes')
    return volume
  })
}

export function parseSlice(value: string): SliceRecord | string {
  return parse('a slice', value, (fields) => {
    const slice: SliceRecord = {
      epoch: epoch(fields.integer('epoch', 1)),
      primary: memberId(fields.text('primary')),
      inSync: fields.texts('inSync').map(memberId),
      want: fields.texts('want').map(memberId),
      min: fields.integer('min', 1),
    }
    const wrong = refuseSlice(slice)
    if (wrong !== null) throw new Malformed(`The record of a slice cannot be: ${wrong}.`)
    return slice
  })
}

export function parseSession(value: string): SessionRecord | string {
  return parse('a session', value, (fields): SessionRecord => {
    const isid = fields.text('isid')
    if (!/^[0-9a-f]{12}$/.test(isid)) return fields.wrong('isid')
    return {
      volume: volumeId(fields.integer('volume', 1)),
      initiator: fields.text('initiator'),
      isid,
      source: fields.string('source'),
      owner: memberId(fields.text('owner')),
      gen: generation(fields.integer('gen', 1)),
      loginToken: fields.text('loginToken'),
      state: fields.oneOf('state', ['live', 'dead']),
      ...(fields.has('bytes') ? { bytes: fields.integer('bytes', 1) } : {}),
      ...(fields.has('barrierDue') && fields.flag('barrierDue') ? { barrierDue: true } : {}),
      ...(fields.has('pinned') ? { pinned: memberId(fields.text('pinned')) } : {}),
      ...(fields.has('move') ? { move: openMoveOf(fields.inner('move')) } : {}),
      since: fields.string('since'),
    }
  })
}

const MOVERS = ['balance', 'operator', 'drain'] as const
const OUTCOMES = ['returned', 'abandoned', 'reclaimed', 'expired', 'lost'] as const
const MEASURED = ['observed', 'drainMs', 'brokeAtWallMs', 'pauseMs', 'resent'] as const

export function parseMove(value: string): MoveRecord | string {
  return parse('a move', value, (fields): MoveRecord => {
    const measured: { -readonly [name in (typeof MEASURED)[number]]?: number } = {}
    for (const name of MEASURED) if (fields.has(name)) measured[name] = fields.number(name)
    return {
      id: fields.text('id'),
      session: sessionId(fields.integer('session', 1)),
      volume: volumeId(fields.integer('volume', 1)),
      initiator: fields.text('initiator'),
      from: memberId(fields.text('from')),
      to: memberId(fields.text('to')),
      reason: fields.string('reason'),
      code: fields.string('code'),
      by: fields.oneOf('by', MOVERS),
      predicted: fields.has('predicted') ? predictionOf(fields.inner('predicted')) : null,
      ...measured,
      ...(fields.has('outcome') ? { outcome: fields.oneOf('outcome', OUTCOMES) } : {}),
      ...(fields.has('cause') ? { cause: fields.string('cause') } : {}),
      at: fields.string('at'),
    }
  })
}

function openMoveOf(fields: Fields): OpenMove {
  return {
    id: fields.text('id'),
    to: memberId(fields.text('to')),
    open: fields.flag('open'),
  }
}

function predictionOf(fields: Fields): MovePrediction {
  const end = (name: string): MovePrediction['from'] => {
    const inner = fields.inner(name)
    return { before: inner.number('before'), after: inner.number('after') }
  }
  return {
    gain: fields.number('gain'),
    price: fields.number('price'),
    from: end('from'),
    to: end('to'),
  }
}

class Malformed extends Error {
  override readonly name = 'Malformed'
}

function parse<T>(what: string, value: string, read: (fields: Fields) => T): T | string {
  try {
    return read(new Fields(what, JSON.parse(value)))
  } catch (error) {
    if (error instanceof Malformed) return error.message
    if (error instanceof SyntaxError) return `The record of ${what} is not JSON: ${error.message}.`
    throw error
  }
}

/** The fields of one JSON object; each reader throws Malformed unless the field is as it must be. */
class Fields {
  readonly #what: string
  readonly #values: Readonly<Record<string, unknown>>

  constructor(what: string, value: unknown) {
    this.#what = what
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Malformed(`The record of ${what} is no JSON object.`)
    }
    this.#values = value as Readonly<Record<string, unknown>>
  }

  wrong(name: string): never {
    const found = JSON.stringify(this.#values[name]) ?? 'nothing'
    throw new Malformed(`The record of ${this.#what} has a bad ${name}: ${found.slice(0, 80)}.`)
  }

  /** null counts as absent. */
  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null
  }

  string(name: string): string {
    const value = this.#values[name]
    return typeof value === 'string' ? value : this.wrong(name)
  }

  /** A string that is not empty. */
  text(name: string): string {
    return this.string(name) || this.wrong(name)
  }

  number(name: string): number {
    const value = this.#values[name]
    return typeof value === 'number' ? value : this.wrong(name)
  }

  integer(name: string, least: number): number {
    const value = this.number(name)
    return Number.isSafeInteger(value) && value >= least ? value : this.wrong(name)
  }

  flag(name: string): boolean {
    const value = this.#values[name]
    return typeof value === 'boolean' ? value : this.wrong(name)
  }

  oneOf<T>(name: string, options: readonly T[]): T {
    return options.find((one) => one === this.#values[name]) ?? this.wrong(name)
  }

  texts(name: string): readonly string[] {
    const value = this.#list(name)
    const texts = value.filter((one) => typeof one === 'string' && one !== '')
    return texts.length === value.length ? (texts as string[]) : this.wrong(name)
  }

  integers(name: string): readonly number[] {
    const value = this.#list(name)
    const integers = value.filter((one) => Number.isSafeInteger(one) && Number(one) >= 0)
    return integers.length === value.length ? (integers as number[]) : this.wrong(name)
  }

  list(name: string): readonly Fields[] {
    return this.#list(name).map((one) => new Fields(`${this.#what} (its ${name})`, one))
  }

  inner(name: string): Fields {
    return new Fields(`${this.#what} (its ${name})`, this.#values[name])
  }

  #list(name: string): readonly unknown[] {
    const value = this.#values[name]
    return Array.isArray(value) ? value : this.wrong(name)
  }
}
