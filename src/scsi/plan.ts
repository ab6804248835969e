// What a CDB comes to: a plan, made without touching any data. target/task-runner carries it out.
//
// Invariants:
//   P1. Every extent of a plan lies inside the unit and is at most `limits` long.
//   P2. `transferBytes` is what the CDB moves over the wire, whatever the initiator expected: residuals are the
//       difference of the two.
//   P3. The plans of READ and WRITE are two objects used again and again, as they come once a command: a plan is valid
//       until the next one is made. Whoever waits plans again from the CDB.
import type { LogicalUnit } from './logical-unit.ts'
import type { NexusState } from './nexus-state.ts'
import { type Condition, conditions, type Field, type SenseDetail } from './sense.ts'

/** GOOD at once, no data. */
export interface GoodPlan {
  readonly kind: 'good'
  readonly direction: 'none'
  readonly transferBytes: 0
}

/** CHECK CONDITION. */
export interface SensePlan {
  readonly kind: 'sense'
  readonly direction: 'none'
  readonly transferBytes: 0
  readonly condition: Condition
  readonly detail: SenseDetail
}

/** Data-In that is known already, cut to the allocation length. */
export interface DataInPlan {
  readonly kind: 'dataIn'
  readonly direction: 'in'
  readonly transferBytes: number
  readonly data: Uint8Array
}

/** `offset` and `bytes` in the volume. */
export interface ReadPlan {
  readonly kind: 'read'
  readonly direction: 'in'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
}

export interface WritePlan {
  readonly kind: 'write'
  readonly direction: 'out'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
}

/** Writes, then reads back from the store; `compare`: and finds the same bytes. */
export interface WriteAndVerifyPlan {
  readonly kind: 'writeAndVerify'
  readonly direction: 'out'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
  readonly compare: boolean
}

/** Reads; compares with nothing, with as much Data-Out, or each block with the one block of Data-Out. */
export interface VerifyPlan {
  readonly kind: 'verify'
  readonly direction: 'none' | 'out'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
  readonly compare: 'nothing' | 'data' | 'block'
}

/** The same block all over the extent. `fill`: the one of Data-Out; else zeros. `unmap`: zeros need no space. */
export interface WriteSamePlan {
  readonly kind: 'writeSame'
  readonly direction: 'none' | 'out'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
  readonly fill: 'data' | 'zeros'
  readonly unmap: boolean
}

/** Data-Out is `bytes` to compare with, then `bytes` to write. */
export interface CompareAndWritePlan {
  readonly kind: 'compareAndWrite'
  readonly direction: 'out'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
}

/** A parameter list must come first; `planData` makes the plan that follows from it. */
export interface ParametersPlan {
  readonly kind: 'parameters'
  readonly direction: 'out'
  readonly transferBytes: number
  readonly parse: ParseParameters
}

export type ParseParameters = (list: Uint8Array, unit: LogicalUnit, nexus: NexusState) => Plan

export interface Range {
  readonly offset: number
  readonly bytes: number
}

/** Follows from the parameter list of UNMAP. */
export interface UnmapPlan {
  readonly kind: 'unmap'
  readonly direction: 'none'
  readonly transferBytes: 0
  readonly ranges: readonly Range[]
}

/** GET LBA STATUS: `descriptors` at most, about the bytes from `offset` on, `bytes` of them at most. */
export interface LbaStatusPlan {
  readonly kind: 'lbaStatus'
  readonly direction: 'in'
  readonly transferBytes: number
  readonly offset: number
  readonly bytes: number
  readonly descriptors: number
}

export type Plan =
  | LbaStatusPlan
  | GoodPlan
  | SensePlan
  | DataInPlan
  | ReadPlan
  | WritePlan
  | WriteAndVerifyPlan
  | VerifyPlan
  | WriteSamePlan
  | CompareAndWritePlan
  | ParametersPlan
  | UnmapPlan

/** The second step of a plan that waited for its parameter list. MODE SELECT changes the nexus here. */
export function planData(
  plan: ParametersPlan,
  list: Uint8Array,
  unit: LogicalUnit,
  nexus: NexusState,
): Plan {
  return plan.parse(list, unit, nexus)
}

export const good: GoodPlan = { kind: 'good', direction: 'none', transferBytes: 0 }

export function sense(condition: Condition, detail: SenseDetail = {}): SensePlan {
  return { kind: 'sense', direction: 'none', transferBytes: 0, condition, detail }
}

export function invalidInCdb(pointer: number, bit?: number): SensePlan {
  return sense(conditions.invalidFieldInCdb, { field: fieldAt(true, pointer, bit) })
}

export function invalidInList(pointer: number, bit?: number): SensePlan {
  return sense(conditions.invalidFieldInParameterList, { field: fieldAt(false, pointer, bit) })
}

function fieldAt(inCdb: boolean, pointer: number, bit: number | undefined): Field {
  return bit === undefined ? { inCdb, pointer } : { inCdb, pointer, bit }
}

export function dataIn(data: Uint8Array, allocationBytes: number): DataInPlan {
  const bytes = Math.min(data.length, allocationBytes)
  return { kind: 'dataIn', direction: 'in', transferBytes: bytes, data: data.subarray(0, bytes) }
}

export function parameters(bytes: number, parse: ParseParameters): ParametersPlan {
  return { kind: 'parameters', direction: 'out', transferBytes: bytes, parse }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const readPlan: Mutable<ReadPlan> = {
  kind: 'read',
  direction: 'in',
  transferBytes: 0,
  offset: 0,
  bytes: 0,
}
const writePlan: Mutable<WritePlan> = {
  kind: 'write',
  direction: 'out',
  transferBytes: 0,
  offset: 0,
  bytes: 0,
}

export function read(offset: number, bytes: number): ReadPlan {
  readPlan.offset = offset
  readPlan.bytes = bytes
  readPlan.transferBytes = bytes
  return readPlan
}

export function write(offset: number, bytes: number): WritePlan {
  writePlan.offset = offset
  writePlan.bytes = bytes
  writePlan.transferBytes = bytes
  return writePlan
}
