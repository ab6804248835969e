// How much Data-Out a command wants, and whether what the initiator announced can be executed.
import type { DataError, Task } from '../iscsi/task.ts'
import type { LogicalUnit } from '../scsi/logical-unit.ts'
import type { Plan } from '../scsi/plan.ts'
import { type Condition, conditions, type SenseDetail } from '../scsi/sense.ts'

/** A plan that may need Data-Out; the others end the command by themselves. */
export type OutPlan = Exclude<
  Plan,
  { readonly kind: 'good' | 'sense' | 'dataIn' | 'read' | 'lbaStatus' }
>

export interface Misfit {
  readonly condition: Condition
  readonly detail: SenseDetail
}

const wrongData: Misfit = { condition: conditions.invalidFieldInInformationUnit, detail: {} }
/** Of COMPARE AND WRITE, whose number of blocks is one byte, it is that number which is taken to be wrong. */
const wrongNumberOfBlocks: Misfit = {
  condition: conditions.invalidFieldInCdb,
  detail: { field: { inCdb: true, pointer: 13 } },
}

/** The sense for what was wrong with a command's data (RFC 7143 §7.8, §11.4.7.2). */
export const dataErrorSense = {
  damaged: conditions.protocolServiceCrcError,
  unexpected: conditions.unexpectedUnsolicitedData,
  wrongAmount: conditions.notEnoughUnsolicitedData,
} as const satisfies Record<Exclude<DataError, 'none' | 'noRoom'>, Condition>

export function wantedBytes(task: Task, transferBytes: number): number {
  return task.isWrite ? Math.min(transferBytes, task.expectedDataTransferLength) : 0
}

/** null: it fits. Of a write any number of whole blocks does; of a command whose data is one value, only all of it. */
export function misfit(
  task: Task,
  made: OutPlan,
  wanted: number,
  unit: LogicalUnit,
): Misfit | null {
  const announced = task.isWrite ? task.expectedDataTransferLength : 0
  switch (made.kind) {
    case 'write':
    case 'writeAndVerify':
      return wanted % unit.blockBytes === 0 ? null : wrongData
    case 'verify':
      return wanted % unit.blockBytes === 0 && (made.compare === 'data' || wanted > 0)
        ? null
        : wrongData
    case 'writeSame':
      return announced === made.transferBytes ? null : wrongData
    case 'compareAndWrite':
      return announced === made.transferBytes ? null : wrongNumberOfBlocks
    default:
      return null
  }
}
