// What a member is wired from: the ports it lives on, and what it is told about itself and its group.

import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import type { Address, Net } from '../base/net.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { Portal } from '../iscsi/names.ts'
import type { LinkTold } from '../peer/link.ts'
import type { StoreSettings } from '../store/settings.ts'
import type { Bounds } from '../target/memory-bounds.ts'

export interface MemberPorts {
  readonly clock: Clock
  readonly net: Net
  readonly disk: Disk
  readonly coordinator: Coordinator
  /** A fresh unguessable name: boot ids, login tokens, move ids. */
  readonly newId: () => string
  /** Told what becomes of a data folder that lacks something. */
  readonly folderTold?: (sentence: string) => void
  /** Told of pages that were damaged here and are as another member has them. */
  readonly pageMended?: (volume: VolumeId, page: number) => void
  /** Told what becomes of the links to other members. */
  readonly linkTold?: (member: MemberId, ...how: Parameters<LinkTold>) => void
}

export interface MemberSettings {
  readonly memberId: MemberId
  readonly groupName: string
  /** Who founds the group if it does not exist: all members of `up`. */
  readonly founders: readonly MemberId[]
  /** Of each slice, if it founds the group; 1 unless given. */
  readonly copies?: number
  readonly slices: number
  readonly namingAuthority: string
  readonly portal: Address & { readonly kind: 'tcp' }
  /** The host that initiators are told; null: that of the portal. */
  readonly announce?: string | null
  readonly peer: Address
  readonly api: string
  readonly groupAddress: string | null
  /** At whose portals it may listen while another member is away; absent: at none. */
  readonly standsIn?: (portal: Portal) => boolean
  readonly bounds: Bounds
  readonly store: Omit<
    StoreSettings,
    'groupId' | 'memberId' | 'newFolderId' | 'known' | 'judge' | 'volumesHeld'
  >
  /** After how long without a change a slice goes back to the member that is wanted as its primary; 10 s unless given. */
  readonly handOverAfterMs?: number
  /** How far the mark of the data folder may be behind what is durable there. */
  readonly markEveryMs?: number
}
