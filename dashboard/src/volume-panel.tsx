// One volume: how to reach it, what of it is where, and who uses it.

import type { VolumeDetail } from '../../src/api/schema.ts'
import { formatSize } from '../../src/base/figures.ts'
import { sentenceOf } from './api.ts'
import { useAsked } from './asked.ts'
import { Commands } from './connecting.tsx'
import { top } from './live.ts'
import { VolumeChanges } from './volume-changes.tsx'
import { copiesSaid, countOf, lackingSaid, shortName } from './words.ts'

const SESSIONS_SHOWN = 20

export function VolumePanel({ name }: { readonly name: string }) {
  const { answer, refused } = useAsked<VolumeDetail>(`/api/v1/volumes/${encodeURIComponent(name)}`)
  const volume = answer.value
  if (refused.value !== null) return <p class="refused">{sentenceOf(refused.value)}</p>
  if (volume === null) return <p>Asking …</p>
  const { bytes, blockBytes, shared, iqn, createdAt } = volume
  return (
    <>
      <h2>{name}</h2>
      <p class="quiet">
        {formatSize(bytes)}, blocks of {blockBytes} bytes, {shared ? 'shared' : 'for one initiator'}
      </p>
      <Where volume={volume} />
      <h3>Connect to it</h3>
      <Commands volume={volume} />
      <Users name={name} />
      <VolumeChanges volume={volume} />
      <dl class="facts">
        <div>
          <dt>Target</dt>
          <dd>
            <code>{iqn}</code>
          </dd>
        </div>
        <div>
          <dt>Created</dt>
          <dd>
            <time dateTime={createdAt}>{new Date(createdAt).toLocaleString()}</time>
          </dd>
        </div>
      </dl>
    </>
  )
}

function Where({ volume }: { readonly volume: VolumeDetail }) {
  const { byMember, lanes } = volume
  const most = Math.max(1, ...byMember.map(({ takenBytes }) => takenBytes ?? 0))
  const letters = new Map(byMember.map(({ member }, at) => [member, at % 6]))
  return (
    <>
      <h3>Where it lives</h3>
      <table class="where-table">
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col" class="number">
              Written
            </th>
            <th scope="col" class="number">
              Taken
            </th>
            <th scope="col">
              <span class="unseen">Compared</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {byMember.map(({ member, bytes, takenBytes }) => (
            <tr key={member}>
              <td>
                <span class={`lane of-${letters.get(member)}`} aria-hidden="true" /> {member}
              </td>
              <td class="number">{bytes === null ? 'no answer' : formatSize(bytes)}</td>
              <td class="number">{takenBytes === null ? '–' : formatSize(takenBytes)}</td>
              <td>
                <meter
                  min={0}
                  max={most}
                  value={takenBytes ?? 0}
                  aria-label={`Taken at ${member}`}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="lanes" role="img" aria-label={lanesSaid(volume)}>
        {lanes.map((lane) => (
          <span
            key={lane.lane}
            class={`lane of-${letters.get(lane.primary)}${lane.state === 'whole' ? '' : ' short'}`}
            title={laneSaid(lane)}
          />
        ))}
      </p>
      <p class="quiet">{lanesSaid(volume)}</p>
      <Copies volume={volume} />
    </>
  )
}

/** In how many copies it is kept; those that are not whole are crossed out above. */
function Copies({ volume }: { readonly volume: VolumeDetail }) {
  const isWhole = volume.lanes.every(({ state }) => state === 'whole')
  return (
    <p class={isWhole ? 'quiet' : 'lacking'}>
      {copiesSaid(volume)} {lackingSaid(volume)}
      {isWhole ? '' : ' Their lanes are crossed out.'}
    </p>
  )
}

function laneSaid({ lane, slice, primary, inSync, wanted }: VolumeDetail['lanes'][number]): string {
  const copies = inSync.filter((member) => member !== primary)
  const missing = wanted.filter((member) => !inSync.includes(member))
  return [
    `lane ${lane}: slice ${slice}, at ${primary}`,
    ...(copies.length === 0 ? [] : [`copy at ${copies.join(', ')}`]),
    ...(missing.length === 0 ? [] : [`not in sync at ${missing.join(', ')}`]),
  ].join('; ')
}

function lanesSaid({ lanes, byMember }: VolumeDetail): string {
  const counts = byMember.map(({ member }) => {
    const count = lanes.filter(({ primary }) => primary === member).length
    return `${member} has ${count}`
  })
  return `${countOf(lanes.length, 'lane')}, dealt over the members: ${counts.join(', ')}.`
}

function Users({ name }: { readonly name: string }) {
  const users = top.value?.sessions.filter(({ volume }) => volume === name) ?? []
  return (
    <>
      <h3>{countOf(users.length, 'session')}</h3>
      <ul class="users">
        {users.slice(0, SESSIONS_SHOWN).map(({ id, initiator, member }) => (
          <li key={id}>
            <a href={`#session/${id}`}>{shortName(initiator)}</a> on {member}
          </li>
        ))}
        {users.length > SESSIONS_SHOWN ? <li>and {users.length - SESSIONS_SHOWN} more</li> : null}
      </ul>
    </>
  )
}
