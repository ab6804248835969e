// The page: what matters most in one line, what is wrong, the picture, and what can be looked up.

import type { History } from '../../src/api/history-schema.ts'
import { formatPercent } from '../../src/base/figures.ts'
import { Events } from './events.tsx'
import { Health } from './health.tsx'
import { status, told, top } from './live.ts'
import { LookingBack } from './looking-back.tsx'
import { Moves } from './moves.tsx'
import { Panel } from './panel.tsx'
import { history, lookAt, lookedAt } from './past.ts'
import { GroupPicture } from './picture.tsx'
import { replays } from './replay.ts'
import { Sessions } from './sessions.tsx'
import { ThemeButton } from './theme.tsx'
import { membersAt, timeOf, timeSaid } from './time-line.ts'
import { Volumes } from './volumes.tsx'
import { headline, meanOf, subline } from './words.ts'

export function Page() {
  return (
    <>
      <Bar />
      <main>
        <Lead />
        <Health />
        <GroupPicture />
        <LookingBack />
        <div class="pair">
          <Volumes />
          <Moves />
        </div>
        <Sessions />
        <Events />
      </main>
      <Panel />
      <p class="unseen" aria-live="polite">
        {told}
      </p>
    </>
  )
}

function Bar() {
  const now = status.value
  return (
    <header class="bar">
      <p class="mark">
        <img src="/mark.svg" alt="" width="24" height="24" /> Evenkeel
      </p>
      {now === null ? null : (
        <p class="where">
          {now.group}, <span class="quiet">as {now.member} sees it</span>
        </p>
      )}
      <nav aria-label="On this page">
        <a href="#volumes">Volumes</a>
        <a href="#moves">Moves</a>
        <a href="#sessions">Sessions</a>
        <a href="#events">Events</a>
      </nav>
      {now === null ? null : (
        <a class="button" href="#balance">
          Balance {now.balance}
        </a>
      )}
      <ThemeButton />
    </header>
  )
}

function Then({ past, place }: { readonly past: History; readonly place: number }) {
  const mean = meanOf(
    membersAt(past, place).map(({ utilisation }) => ({
      load: utilisation === null ? null : { utilisation },
    })),
  )
  return (
    <div class="lead">
      <h1>As it was at {timeSaid(timeOf(past, place))}</h1>
      <p>
        {mean === null
          ? 'Nothing was kept of this time.'
          : `On average ${formatPercent(mean)} used.`}{' '}
        <button type="button" class="small" onClick={() => lookAt(past.count - 1)}>
          Back to now
        </button>
      </p>
    </div>
  )
}

function Lead() {
  const [now, known] = [top.value, status.value]
  if (now === null || known === null) return <h1>Asking the group …</h1>
  const past = history.value
  if (past !== null && lookedAt.value !== null) return <Then past={past} place={lookedAt.value} />
  const line = headline(now, known, replays.value)
  document.title = `${line} – Evenkeel`
  return (
    <div class="lead">
      <h1>{line}</h1>
      <p>{subline(now, known)}</p>
    </div>
  )
}
