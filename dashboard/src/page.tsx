// The page: what matters most in one line, what is wrong, the picture, and what can be looked up.
import { Health } from './health.tsx'
import { status, told, top } from './live.ts'
import { Moves } from './moves.tsx'
import { Panel } from './panel.tsx'
import { GroupPicture } from './picture.tsx'
import { replays } from './replay.ts'
import { Sessions } from './sessions.tsx'
import { ThemeButton } from './theme.tsx'
import { Volumes } from './volumes.tsx'
import { headline, subline } from './words.ts'

export function Page() {
  return (
    <>
      <Bar />
      <main>
        <Lead />
        <Health />
        <GroupPicture />
        <div class="pair">
          <Volumes />
          <Moves />
        </div>
        <Sessions />
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

function Lead() {
  const [now, known] = [top.value, status.value]
  if (now === null || known === null) return <h1>Asking the group …</h1>
  return (
    <div class="lead">
      <h1>{headline(now, known, replays.value)}</h1>
      <p>{subline(now, known)}</p>
    </div>
  )
}
