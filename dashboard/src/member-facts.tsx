// What is said of a member under its vessel: how much it is used, its processor, memory, room and work.

import type { Member, Top } from '../../src/api/schema.ts'
import {
  formatBitRate,
  formatLoad,
  formatMs,
  formatPercent,
  formatRate,
  formatSize,
} from '../../src/base/figures.ts'

interface Props {
  readonly member: Top['members'][number]
  /** undefined: not read yet. */
  readonly known: Member | undefined
}

export function MemberFacts({ member, known }: Props) {
  const { id, state, load, sessions } = member
  const shown = known?.draining === true && state === 'up' ? 'draining' : state
  return (
    <li class={`member ${shown}`}>
      <h3>
        <a href={`#member/${id}`}>{id}</a> <span class="state">{shown}</span>
      </h3>
      <p class="used">{load === null ? '–' : formatLoad(load)}</p>
      <dl>
        <Fact name="Sessions" value={sessions.toLocaleString('en')} />
        <Fact name="CPU" value={load === null ? '–' : `${load.cpu.toFixed(2)} cores`} />
        <Fact name="Host" value={load === null ? '–' : `${formatPercent(load.hostCpu)} busy`} />
        {load !== null && load.networkBitsPerSecond !== null && (
          <Fact name="Network" value={`${formatBitRate(load.networkBitsPerSecond)} each way`} />
        )}
        <Fact name="Memory" value={load === null ? '–' : formatSize(load.memoryBytes)} />
        <Fact
          name="Commands"
          value={load === null ? '–' : `${load.iops.toFixed(0)}/s, ${formatMs(load.latencyMs)}`}
        />
        <Fact name="Data" value={load === null ? '–' : formatRate(load.bytesPerSecond)} />
        <Fact
          name="For others"
          value={load === null ? '–' : `${load.handledIops.toFixed(0)} pieces/s`}
        />
        <Fact name="Disk" value={diskOf(load)} />
      </dl>
      <Room known={known} />
    </li>
  )
}

export function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function diskOf(load: Props['member']['load']): string {
  if (load === null) return '–'
  return load.diskLatencyMs === null ? 'idle' : `${formatMs(load.diskLatencyMs)} a commit`
}

function Room({ known }: { readonly known: Member | undefined }) {
  const { usedBytes = null, freeBytes = null } = known ?? {}
  if (usedBytes === null || freeBytes === null) return <p class="room">Room: not known</p>
  const whole = usedBytes + freeBytes
  return (
    <p class="room">
      <meter min={0} max={whole} high={whole * 0.9} value={usedBytes} />
      {formatSize(usedBytes)} taken, {formatSize(freeBytes)} free
    </p>
  )
}
