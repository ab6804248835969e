// One member, wired once, top to bottom, from the ports it is given. The same wiring runs on real ports (start.ts)
// and in the simulator (sim/), so nothing here touches Node.
//
// Start, in order: group record → store → links and portal listen → its own record → primary (epochs, then the sessions'
// generations) → logins are accepted.
import { sleep, within } from '../base/clock.ts'
import type { MemberId, SliceId } from '../base/ids.ts'
import { formatAddress, parseAddress } from '../base/net.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import type { GroupView } from '../coordination/group-view.ts'
import { RecordKeeper } from '../coordination/record-keeper.ts'
import { TellingCoordinator } from '../coordination/telling-coordinator.ts'
import { startMember } from '../group/founding.ts'
import type { ShownMember } from '../operator/shown-member.ts'
import { Controls } from '../peer/controls.ts'
import { PeerLinks } from '../peer/links.ts'
import { pagesOn, sliceAt } from '../slice/lanes.ts'
import { PeerRequests } from '../slice/peer-requests.ts'
import { Repairs } from '../slice/repairs.ts'
import { isCopied } from '../slice/role.ts'
import { Slices } from '../slice/slices.ts'
import type { PageStore } from '../store/page-store.ts'
import { Target } from '../target/target.ts'
import type { TargetEvent } from '../target/target-event.ts'
import { Gateway } from '../volume/gateway.ts'
import { controlTable, type Staff } from './controls.ts'
import { DataFolder, MARK_EVERY_MS } from './data-folder.ts'
import type { NamedVolume } from './folder-opening.ts'
import type { MemberPorts, MemberSettings } from './member-settings.ts'
import { openGroup } from './record-check.ts'
import { Stopping } from './stopping.ts'

const RETRY_MS = 50
/** Members of one host are told to stop at the same moment, give or take. */
const TOLD_MS = 100
/**
 * For all that a stop waits for: initiators (4 s to fall silent, 2 s to close), and other members that were told as well. The
 * rest of the 10 s after which main.ts ends the process is for the checkpoint.
 */
const STOP_MS = 7_000
/** Of that, for giving slices away: as long as they would stand still if they were taken over when their primary is silent. */
const LEAVE_MS = 3_000

export class Member implements ShownMember {
  readonly id: MemberId
  readonly bootId: string
  readonly settings: MemberSettings
  readonly ports: MemberPorts
  readonly group: GroupView
  readonly folder: DataFolder
  readonly keeper: RecordKeeper
  readonly store: PageStore
  readonly peers: PeerLinks
  readonly slices: Slices
  readonly repairs: Repairs
  readonly gateway: Gateway
  readonly target: Target
  readonly controls: Controls
  /** What pages may still take here, looked up now and then. */
  freeBytes = 0
  /** Requests done here for sessions of other members, since the start. */
  readonly handled: PeerRequests['handled']
  readonly #stopping = new Stopping((member) => this.group.members.get(member)?.bootId ?? null)
  /** Nobody is heard before it serves. */
  #staff: Staff = { balancer: null, operator: null }
  #portal: string

  private constructor(parts: Parts) {
    this.id = parts.settings.memberId
    this.bootId = parts.bootId
    this.settings = parts.settings
    this.ports = parts.ports
    this.group = parts.group
    this.keeper = parts.keeper
    this.folder = parts.folder
    this.store = parts.folder.store
    this.#portal = ''
    const { clock, net, coordinator, newId } = parts.ports
    const self = this.id
    parts.news.tell = () => this.#tellAll('nudge')
    this.slices = new Slices({
      ...{ self, boot: parts.bootId, clock, coordinator, group: this.group, store: this.store },
      peers: {
        link: (to) => this.peers.link(to),
        ask: (...asked) => this.peers.ask(...asked),
      },
      mended: parts.ports.pageMended,
      quietMs: parts.settings.handOverAfterMs,
      recordKept: async (rev) => (await this.keeper.written(rev)) || this.keeper.trouble !== null,
    })
    this.repairs = new Repairs({
      ...{ self, clock, group: this.group, store: this.store },
      mend: (volume, page) => this.slices.mend(volume, page),
    })
    const requests = new PeerRequests(this.slices)
    this.handled = requests.handled
    this.peers = new PeerLinks({
      self: { groupId: parts.group.group.groupId, memberId: self, bootId: parts.bootId },
      net,
      clock,
      addressOf: (member) => {
        const peer = this.group.members.get(member)?.peer
        return peer === undefined ? null : parseAddress(peer)
      },
      server: {
        control: (from, kind, body) => this.controls.answer(from, kind, body),
        operation: (_from, request) => requests.answer(request),
        fence: (session, gen) => this.slices.fence(session, gen),
        serving: () => this.slices.serving(),
      },
      told: (...how) => parts.ports.linkTold?.(...how),
    })
    this.gateway = new Gateway({
      self,
      clock,
      group: this.group,
      peers: this.peers,
      slices: this.slices,
    })
    this.target = new Target({
      self,
      clock,
      net,
      coordinator,
      group: this.group,
      peers: this.peers,
      gateway: this.gateway,
      placement: {
        choose: async (attempt) => (await this.#staff.balancer?.placer.choose(attempt)) ?? null,
        expect: (key) => this.#staff.balancer?.placer.expect(key),
        unexpect: (key) => this.#staff.balancer?.placer.unexpect(key),
        markBadPath: (initiator, to) => this.#staff.balancer?.placer.markBadPath(initiator, to),
      },
      grants: { arrived: (move, session) => this.#staff.balancer?.receiver.arrived(move, session) },
      newToken: newId,
      groupAddress: parts.settings.groupAddress,
      bounds: parts.settings.bounds,
      standsIn: parts.settings.standsIn ?? null,
      tell: parts.tell,
    })
    const { slices, target } = this
    const stopping = this.#stopping
    this.controls = new Controls(
      controlTable({ stopping, clock, coordinator, slices, target, staff: () => this.#staff }),
      (from, of, why) => parts.tell({ kind: 'malformed', from, of, why }),
    )
  }

  /** Founds the group if need be, opens the store. Nothing listens before `serve`. Rejects with a sentence if it must not or cannot. */
  static async open(
    ports: MemberPorts,
    settings: MemberSettings,
    tell: (event: TargetEvent) => void,
  ): Promise<Member> {
    const { clock, disk, newId } = ports
    const { memberId } = settings
    const coordinator = new TellingCoordinator(ports.coordinator, clock)
    const group = await openGroup(ports, settings)
    const { groupId } = group.group
    const identity = { groupId, memberId, newFolderId: newId() }
    const { markEveryMs = MARK_EVERY_MS } = settings
    const folder = await DataFolder.open(
      { clock, disk, coordinator, markEveryMs, told: ports.folderTold },
      { ...settings.store, ...identity, volumesOn: (isOne) => volumesOn(group, isOne) },
      group.group,
    )
    const keeper = await RecordKeeper.start({ self: memberId, disk, clock, coordinator, group })
    return new Member({
      ports: { ...ports, coordinator },
      ...{ settings, group, keeper, folder, bootId: newId(), tell, news: coordinator },
    })
  }

  get portal(): string {
    return this.#portal
  }

  /** Settles when logins are accepted. */
  async serve(staff: Staff = { balancer: null, operator: null }): Promise<void> {
    this.#staff = staff
    const { settings } = this
    const peer = await this.peers.listen(settings.peer)
    const portal = await this.target.listen(settings.portal)
    this.#portal =
      portal.kind === 'tcp'
        ? formatAddress({ ...portal, host: settings.announce ?? portal.host })
        : ''
    await this.#register(formatAddress(peer))
    await this.slices.start()
    this.repairs.start()
    await this.target.serve()
  }

  /**
   * T2: gives its slices away while there are others that go on, answers what was accepted, tells the initiators to come back, closes.
   * Other members that stop too are waited for: they may need our pages.
   */
  async stop(othersGoOn: () => boolean): Promise<void> {
    const byMs = this.ports.clock.nowMs() + STOP_MS
    this.#tellAll('stopping')
    if (othersGoOn()) await this.#leaveSlices(othersGoOn)
    await this.target.stop(byMs)
    this.#tellAll('drained')
    await this.#othersDrained(byMs)
    this.gateway.close()
    this.repairs.stop()
    this.slices.close()
    await this.peers.close()
    await this.keeper.close()
    this.group.close()
    await this.folder.close()
    await this.ports.coordinator.close()
  }

  /** What a slice stands still for otherwise: its primary is silent, or a copy is. */
  async #leaveSlices(othersGoOn: () => boolean): Promise<void> {
    const { clock } = this.ports
    await sleep(clock, TOLD_MS)
    const untilMs = clock.nowMs() + LEAVE_MS
    const left = this.slices.leave({
      isOver: () => !othersGoOn() || clock.nowMs() >= untilMs,
      goesOn: (member) => !this.#stopping.has(member),
    })
    await within(clock, LEAVE_MS, left, undefined)
  }

  #tellAll(kind: 'stopping' | 'drained' | 'nudge'): void {
    for (const id of this.group.members.keys()) if (id !== this.id) this.peers.tell(id, kind, null)
  }

  async #othersDrained(byMs: number): Promise<void> {
    const { clock } = this.ports
    await sleep(clock, TOLD_MS)
    while (this.#stopping.areUnderWay && clock.nowMs() < byMs) await sleep(clock, RETRY_MS)
  }

  async #register(peer: string): Promise<void> {
    const { coordinator, clock } = this.ports
    const { id, bootId, settings } = this
    for (;;) {
      const mine = { id, bootId, portal: this.#portal, peer, api: settings.api }
      const result = await coordinator.txn(startMember(this.group.storedMember(id), mine))
      if (result.kind === 'done') return
      await sleep(clock, RETRY_MS)
      await this.group.refresh()
    }
  }
}

interface Parts {
  readonly ports: MemberPorts
  readonly settings: MemberSettings
  readonly group: GroupView
  readonly keeper: RecordKeeper
  readonly folder: DataFolder
  readonly news: TellingCoordinator
  readonly bootId: string
  readonly tell: (event: TargetEvent) => void
}

/** Volumes with a lane on such a slice: pages of all of them may be in the folder. */
function volumesOn(
  { volumes, slices }: GroupView,
  isOne: (slice: SliceId) => boolean,
): readonly NamedVolume[] {
  const named: NamedVolume[] = []
  for (const volume of volumes.values()) {
    const { id, name } = volume
    const held = pagesOn(volume, isOne)
    if (held === 0) continue
    const pages = pagesOn(volume, () => true)
    const isHeld = (page: number) => isOne(sliceAt(volume, page * PAGE_BYTES))
    // Where there are no copies others' pages are never asked for here.
    named.push({ volume: id, name, pages, held, ...(slices.some(isCopied) ? { isHeld } : {}) })
  }
  return named
}
