// Moves in which somebody dies, is stopped or cannot be reached, in each step: the initiator is told no error, nothing is
// lost or out of order, there is one session afterwards, and the record of the move says what became of it.
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Move, Session } from '../../src/api/schema.ts'
import type { Address, Net, Stream } from '../../src/base/net.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import type { MoveOutcome, SessionRecord } from '../../src/group/record.ts'
import { SystemNet } from '../../src/io/net.ts'
import { type Client, Clients, SERVED_AGAIN_MS } from '../kit/clients.ts'
import { TestGroup } from '../kit/group.ts'
import { coordinationFile, Records } from '../kit/records.ts'

const { EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const SEED = Number(EVENKEEL_SEED)
const VOLUME_BYTES = 192 * 2 ** 20
const BLOCKS_A_RUN = 3
const WORKERS = 2
/** The session begins at `OLD`, where the initiator's portal is, and is moved to `NEW`; nothing happens to `WITNESS`. */
const [OLD, NEW, WITNESS] = ['m1', 'm2', 'm3'] as const
const TEST_MS = 90_000

const prng = new Prng(SEED)
let group: TestGroup
let records: Records
let scenes = 0

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  records = await Records.open(group)
})
afterAll(async () => {
  await records.close()
  await group.stop()
})

/** The network of one initiator: what stands at a gate happens before a connection to that member is tried. */
class GatedNet implements Net {
  readonly #net = new SystemNet()
  /** By member; what it throws is what the network says. */
  readonly gates = new Map<string, () => void>()

  listen(): never {
    throw new Error('an initiator listens to nobody')
  }

  async connect(address: Address, timeoutMs: number): Promise<Stream> {
    const member = group.members.find(
      (id) => address.kind === 'tcp' && address.port === group.portOf(id),
    )
    this.gates.get(member ?? '')?.()
    return this.#net.connect(address, timeoutMs)
  }
}

const unreachable = () => {
  throw new Error('no route to host')
}

/** One move, and what is needed to break it. */
class Scene {
  readonly net = new GatedNet()
  readonly clients: Clients
  readonly client: Client
  readonly session: Session
  readonly #pids: ReadonlyMap<string, number>

  static async begin(isid: 'stable' | 'random'): Promise<Scene> {
    scenes += 1
    const pids = new Map<string, number>()
    for (const member of group.members) {
      const pid = async () => {
        const now = await group.pidOf(member)
        if (now !== null) pids.set(member, now)
        return now
      }
      await expect.poll(pid, { timeout: SERVED_AGAIN_MS, interval: 50 }).not.toBeNull()
    }
    const volume = await group.createVolume(`scene-${scenes}`, VOLUME_BYTES, BLOCK_BYTES)
    const clients = new Clients(group, volume, prng.fork(), BLOCKS_A_RUN)
    const net = new GatedNet()
    const client = await clients.connect({ member: OLD, writer: 1, isid, name: `${scenes}`, net })
    await clients.connect({ member: WITNESS, writer: 2, isid: 'stable', name: `other-${scenes}` })
    clients.begin(WORKERS)
    const mine = async () => (await sessionsOf(volume.name)).find(({ member }) => member === OLD)
    await expect.poll(mine, { interval: 20 }).toMatchObject({ state: 'live' })
    const session = await mine()
    if (session === undefined) throw new Error('the session has gone')
    return new Scene(net, clients, client, session, pids)
  }

  private constructor(
    net: GatedNet,
    clients: Clients,
    client: Client,
    session: Session,
    pids: ReadonlyMap<string, number>,
  ) {
    this.net = net
    this.clients = clients
    this.client = client
    this.session = session
    this.#pids = pids
  }

  signal(member: string, signal: NodeJS.Signals): void {
    process.kill(this.#pids.get(member) ?? 0, signal)
  }

  kill(member: string): void {
    this.signal(member, 'SIGKILL')
  }

  /** Acts as soon as the session's own record is so. */
  when(isSo: (record: SessionRecord) => boolean, act: () => void): Promise<void> {
    const { isid } = this.session
    const isMine = (record: SessionRecord) =>
      String(record.volume) === this.clients.volume.id && record.isid === isid
    return records.when((record) => isMine(record) && isSo(record), act)
  }

  /** Orders the move, until the new member, which may just have been stopped, is ready for it; what becomes of it is told by its record alone. */
  move(): void {
    const path = `sessions/${this.session.id}/move`
    const order = async (): Promise<void> => {
      const { body } = await group.call<{ code?: string }>(path, { to: NEW, wait: false }, WITNESS)
      if (body.code === 'memberNotReady') return order()
    }
    order().catch(() => {})
  }

  /** Everybody is served again; judges, and tells the record of the move. `dies`: the member that has it, so that it comes back at any. */
  async end(what: string, allowed: readonly MoveOutcome[], { dies = false } = {}): Promise<Move> {
    const { clients, client, session } = this
    try {
      const record = async () => {
        const { body } = await group.call<{ items: Move[] }>('moves?limit=1000', undefined, WITNESS)
        return body.items.find((move) => move.session === session.id)
      }
      const outcome = async () => (await record())?.outcome ?? 'none'
      await expect.poll(outcome, { interval: 50 }).not.toBe('none')
      await clients.goOn()
      const move = await record()
      if (move === undefined) throw new Error('there is no record of the move')
      const violations = await clients.judged()
      const { gaps, resent } = client.initiator.travels
      const pauseMs = Math.max(0, ...gaps.map((gap) => gap.pauseMs)).toFixed(0)
      console.log(
        `${what}: ${move.outcome}; the initiator waited ${pauseMs} ms and sent ${resent} commands again; ` +
          `${clients.figures().operations} block operations, ${violations.length} violations`,
      )
      expect(violations).toEqual([])
      expect(clients.bad).toEqual([])
      expect(allowed).toContain(move.outcome)
      const now = (await sessionsOf(clients.volume.name)).filter(
        ({ initiator }) => initiator === session.initiator,
      )
      expect(now).toHaveLength(1)
      if (move.outcome === 'reclaimed') expect(now).toMatchObject([{ id: session.id, member: OLD }])
      if (move.outcome === 'returned' && !dies)
        expect(now).toMatchObject([{ id: session.id, member: NEW }])
      return move
    } catch (error) {
      throw new Error(`${what}, with EVENKEEL_SEED=${SEED}`, { cause: error })
    } finally {
      await clients.close()
    }
  }
}

async function sessionsOf(volume: string): Promise<readonly Session[]> {
  const { body } = await group.call<{ items: Session[] }>('sessions', undefined, WITNESS)
  return body.items.filter((session) => session.volume === volume)
}

const isIntended = ({ move }: SessionRecord) => move?.open === false
const isCommitted = ({ move }: SessionRecord) => move?.open === true

describe('the new member dies', () => {
  test(
    'right after the commit: the old one takes the session back, unless the new one is there again first',
    async () => {
      const scene = await Scene.begin('random')
      const killed = scene.when(isCommitted, () => scene.kill(NEW))
      scene.move()
      await killed
      await scene.end('the new member dies after the commit', ['reclaimed', 'returned'])
    },
    TEST_MS,
  )

  test(
    'as the initiator comes: the old one takes the session back, unless the new one is there again first',
    async () => {
      const scene = await Scene.begin('stable')
      scene.net.gates.set(NEW, () => {
        scene.net.gates.delete(NEW)
        scene.kill(NEW)
      })
      scene.move()
      await scene.end('the new member dies as the initiator comes', ['reclaimed', 'returned'])
    },
    TEST_MS,
  )

  test(
    'as soon as it has the session',
    async () => {
      const scene = await Scene.begin('stable')
      const isTaken = ({ owner, move }: SessionRecord) => owner === NEW && move === undefined
      const killed = scene.when(isTaken, () => scene.kill(NEW))
      scene.move()
      await killed
      await scene.end('the new member dies with the session', ['returned', 'lost'], { dies: true })
    },
    TEST_MS,
  )
})

describe('the old member dies', () => {
  test(
    'while the session falls silent: it is lost, and comes back',
    async () => {
      const scene = await Scene.begin('stable')
      const killed = scene.when(isIntended, () => scene.kill(OLD))
      scene.move()
      await killed
      // It may have been quick enough to commit.
      await scene.end('the old member dies in the quiesce', ['lost', 'returned', 'expired'])
    },
    TEST_MS,
  )

  test(
    'when the commit is sent: nothing of it has happened',
    async () => {
      const scene = await Scene.begin('random')
      const lock = new DatabaseSync(coordinationFile(group), { timeout: 0 })
      try {
        const locked = scene.when(isIntended, () => lock.exec('BEGIN IMMEDIATE'))
        scene.move()
        await locked
        await silent(scene.client)
        scene.kill(OLD)
        lock.exec('ROLLBACK')
      } finally {
        lock.close()
      }
      await scene.end('the old member dies with its commit on the way', ['lost'])
    },
    TEST_MS,
  )

  test(
    'when it has committed and asks: the initiator finds the new one through it once it is back, or it takes the session back',
    async () => {
      const scene = await Scene.begin('stable')
      const killed = scene.when(isCommitted, () => scene.kill(OLD))
      scene.move()
      await killed
      await scene.end('the old member dies as it asks', ['returned', 'reclaimed', 'expired'])
    },
    TEST_MS,
  )

  test(
    'before the return: the initiator is on its way already',
    async () => {
      const scene = await Scene.begin('stable')
      scene.net.gates.set(NEW, () => {
        scene.net.gates.delete(NEW)
        scene.kill(OLD)
      })
      scene.move()
      await scene.end('the old member dies before the return', ['returned'])
    },
    TEST_MS,
  )
})

describe('the initiator cannot reach the new member', () => {
  test(
    'since no way leads there: the old one takes the session back',
    async () => {
      const scene = await Scene.begin('random')
      scene.net.gates.set(NEW, unreachable)
      scene.move()
      await scene.end('no way leads to the new member', ['reclaimed'])
    },
    TEST_MS,
  )

  test(
    'since it is stopped: the old one takes the session back, and the new one does not serve it when it goes on',
    async () => {
      const scene = await Scene.begin('stable')
      const stopped = scene.when(isCommitted, () => scene.signal(NEW, 'SIGSTOP'))
      try {
        scene.move()
        await stopped
        const isBack = async () => scene.client.initiator.address
        const old = `127.0.0.1:${group.portOf(OLD)}`
        const { travels } = scene.client.initiator
        await expect.poll(() => travels.logins, { interval: 20 }).toBeGreaterThan(1)
        expect(await isBack()).toBe(old)
      } finally {
        scene.signal(NEW, 'SIGCONT')
      }
      await scene.end('the new member is stopped', ['reclaimed'])
    },
    TEST_MS,
  )

  test(
    'nor the old one, for longer than a move stays open: it expires, and the initiator logs in anew',
    async () => {
      const scene = await Scene.begin('stable')
      const away = scene.when(isCommitted, () => {
        for (const member of group.members) scene.net.gates.set(member, unreachable)
      })
      scene.move()
      await away
      const isDead = ({ state }: SessionRecord) => state === 'dead'
      await scene.when(isDead, () => scene.net.gates.clear())
      await scene.end('the initiator stays away', ['expired'])
    },
    TEST_MS,
  )
})

/** Nothing is answered any more, though much is asked: what arrives is held. */
async function silent({ initiator }: Client): Promise<void> {
  let answers = -1
  const isSilent = () => {
    const before = answers
    answers = initiator.travels.answers
    return before === answers && initiator.underWay > 0
  }
  await expect.poll(isSilent, { interval: 150 }).toBe(true)
}
