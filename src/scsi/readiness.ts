// TEST UNIT READY, REQUEST SENSE, START STOP UNIT and SEND DIAGNOSTIC (SPC-4 §6.47, §6.39, §6.42; SBC-3 §5.25).
import { byte } from './cdb.ts'
import type { LogicalUnit } from './logical-unit.ts'
import type { NexusState } from './nexus-state.ts'
import { dataIn, good, invalidInCdb, type Plan } from './plan.ts'
import { type Condition, conditions, senseData } from './sense.ts'

/** A volume is ready as long as it exists. */
export function planTestUnitReady(): Plan {
  return good
}

/** A unit attention that waits is reported as data and thereby cleared (SAM-5 §5.14). */
export function planRequestSense(cdb: Uint8Array, _unit: LogicalUnit, nexus: NexusState): Plan {
  return requestSense(cdb, nexus.attentions.take() ?? conditions.noSense)
}

export function requestSense(cdb: Uint8Array, condition: Condition): Plan {
  const descriptorFormat = (byte(cdb, 1) & 0x01) !== 0
  return dataIn(senseData(condition, descriptorFormat), byte(cdb, 4))
}

/** A volume has no motor, and other initiators use it too: starting and stopping are accepted without effect. */
export function planStartStopUnit(cdb: Uint8Array): Plan {
  const flags = byte(cdb, 4)
  const powerCondition = flags >> 4
  const loadOrEject = (flags & 0x02) !== 0
  if (powerCondition !== 0) return invalidInCdb(4, 7)
  return loadOrEject ? invalidInCdb(4, 1) : good
}

/** The default self-test; the usage mask keeps out everything else. */
export function planSendDiagnostic(): Plan {
  return good
}
