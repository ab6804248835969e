// What is said of a member as it was: in the rows of what is said of it now, so that nothing jumps while somebody looks back.
import { formatMs, formatPercent, formatRate, formatSize } from '../../src/base/figures.ts'
import { Fact } from './member-facts.tsx'
import type { PastMember } from './time-line.ts'

export function PastFacts({ member }: { readonly member: PastMember }) {
  const { id, utilisation, cpu, memoryBytes, iops, bytesPerSecond, latencyMs, usedBytes } = member
  const said = <V extends number>(value: V | null, print: (value: V) => string) =>
    value === null ? '–' : print(value)
  return (
    <li class="member">
      <h3>
        {id} <span class="state">{utilisation === null ? 'not known' : 'then'}</span>
      </h3>
      <p class="used">{said(utilisation, formatPercent)}</p>
      <dl>
        <Fact name="Sessions" value={said(member.sessions, (count) => count.toFixed(0))} />
        <Fact name="CPU" value={said(cpu, (cores) => `${cores.toFixed(2)} cores`)} />
        <Fact name="Host" value="–" />
        <Fact name="Memory" value={said(memoryBytes, (bytes) => formatSize(Math.round(bytes)))} />
        <Fact
          name="Commands"
          value={said(iops, (rate) => `${rate.toFixed(0)}/s, ${formatMs(latencyMs)}`)}
        />
        <Fact name="Data" value={said(bytesPerSecond, formatRate)} />
        <Fact name="For others" value="–" />
        <Fact name="Disk" value="–" />
      </dl>
      <p class="room">
        <meter min={0} max={1} value={0} />
        {said(usedBytes, (bytes) => formatSize(Math.round(bytes)))} taken
      </p>
    </li>
  )
}
