// What one I_T nexus has changed or is waiting for at the logical unit. Mode pages are per nexus (VPD page 87h says so):
// what one initiator sets concerns only its own commands, and needs no agreement between members.
import { UnitAttentions } from './unit-attention.ts'

export interface NexusState {
  /** D_SENSE of the control mode page. */
  descriptorSense: boolean
  /** SWP of the control mode page. */
  softwareWriteProtect: boolean
  readonly attentions: UnitAttentions
}

export function newNexusState(): NexusState {
  return {
    descriptorSense: false,
    softwareWriteProtect: false,
    attentions: new UnitAttentions(),
  }
}

/** State that a session would lose if it moved to another member (target/DESIGN.md). That the volume has grown is told there too: its record says what the initiator knows. */
export function holdsState({
  descriptorSense,
  softwareWriteProtect,
  attentions,
}: NexusState): boolean {
  return descriptorSense || softwareWriteProtect || attentions.waitsBut('capacityChanged')
}

/** To the defaults, as a logical unit reset does (SPC-4 §5.10, no saved pages). */
export function resetModePages(nexus: NexusState): void {
  nexus.descriptorSense = false
  nexus.softwareWriteProtect = false
}
