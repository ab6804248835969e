// evenkeel balance why | why-not | plan: what the distribution has seen, what holds a session back, and what it would do next.
import type { Command } from 'commander'
import type { BalancePlan, MoveOption, MoveWhy, StayReason } from '../api/balance-schema.ts'
import { formatAmount, formatPercent } from '../base/figures.ts'
import { ageOf } from './age.ts'
import type { ContextOf } from './context.ts'
import { named } from './names.ts'
import type { Screen } from './screen.ts'

export function whyCommands(balance: Command, contextOf: ContextOf): void {
  balance
    .command('why')
    .description('what the decision for a move had seen: loads, regret, and every other member')
    .argument('<move>', "as in 'evenkeel move list -o wide'")
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const why = await named(caller, 'move', id, (whole) => caller.whyMoved(whole))
      screen.show(why, (told) => describeWhy(screen, told))
    })
  balance
    .command('why-not')
    .description('which rule holds a session where it is now, and what every member would be to it')
    .argument('<session>')
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const reason = await named(caller, 'session', id, (whole) => caller.whyNot(whole))
      screen.show(reason, (told) => describeReason(screen, told))
    })
  balance
    .command('plan')
    .description('what would be moved next; nothing is')
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const plan = await caller.plan()
      for (const member of plan.silent) {
        screen.note(`evenkeel: ${member} does not answer; what it would move is not known`)
      }
      screen.show(plan, (told) => describePlan(screen, told))
    })
}

const NAMES = { cpu: 'CPU', network: 'network' } as const
const UNITS = { cpu: 'cores', network: 'Gbit/s' } as const

function describeWhy(screen: Screen, why: MoveWhy): string {
  const { session, at, from, to, weight, share, gain, regret, price, gap, need, urgent, resource } =
    why
  const unit = UNITS[resource]
  const ends = [from, ...(to === null ? [] : [to])]
  return [
    screen.paragraph(why.sentence, ''),
    '',
    screen.facts([
      ['session', session],
      ['at', `${at} (${ageOf(at)} ago)`],
      [
        'weight',
        `${weight.here.toFixed(3)} ${unit} there, ${weight.there.toFixed(3)} where it went`,
      ],
      ['pages', `${formatPercent(share.here)} there, ${formatPercent(share.there)} where it went`],
      ['gain', `${formatAmount(gain)} request-seconds each second`],
      ['regret', `${formatAmount(regret)} request-seconds`],
      ['price', `${formatAmount(price)} request-seconds`],
      [
        'gap',
        `${formatPercent(gap)} of ${NAMES[resource]}, of which ${formatPercent(need)} comes and goes`,
      ],
      ['urgent', urgent ? 'yes: judged by the averages of 5 s' : 'no'],
    ]),
    '',
    screen.table(
      ['MEMBER', 'LOAD>', '5S>', '5MIN>', 'SWINGS>', 'CAPACITY>', 'REPORT>'],
      ends.map(({ member, slow, fast, long, sigma, capacity, reportAgeMs, resource: of }) => [
        member,
        ...[slow, fast, long, sigma].map(formatPercent),
        `${capacity.toFixed(2)} ${UNITS[of]}`,
        `${(reportAgeMs / 1000).toFixed(1)}s`,
      ]),
    ),
    '',
    describeOptions(screen, why.options),
  ].join('\n')
}

function describeReason(screen: Screen, reason: StayReason): string {
  const { code, gain, regret, owed, price, until, options } = reason
  return [
    screen.paragraph(`${reason.sentence} (${code})`, ''),
    '',
    screen.facts([
      ['gain', `${formatAmount(gain)} request-seconds each second`],
      ['regret', `${formatAmount(regret)} of ${formatAmount(owed)} request-seconds`],
      ['price', `${formatAmount(price)} request-seconds`],
      ['until', until ?? (code === 'MOVED' ? 'its member decides' : 'time alone does not end it')],
    ]),
    '',
    describeOptions(screen, options),
  ].join('\n')
}

function describeOptions(screen: Screen, options: readonly MoveOption[]): string {
  if (options.length === 0) return 'No other member is known.'
  const rows = options.map(({ to, code, sentence }) => `${to}  ${code ?? 'would do'}: ${sentence}`)
  return ['The other members:', ...rows.map((row) => screen.paragraph(row, '  '))].join('\n')
}

function describePlan(screen: Screen, { mode, moves }: BalancePlan): string {
  const parts = mode === 'on' ? [] : [`Balance is ${mode}: nothing of this is done.`, '']
  if (moves.length === 0) return [...parts, 'Nothing would be moved.'].join('\n')
  const now = Date.now()
  return [
    ...parts,
    ...moves.map(({ member, session, to, at, code, sentence }) => {
      const seconds = Math.max(0, Math.round((Date.parse(at) - now) / 1000))
      const when = seconds === 0 ? 'now' : `in ${seconds} s`
      const where = `${member} → ${to ?? '?'}`
      return `${when}  session ${session}  ${where}  ${code}\n${screen.paragraph(sentence, '  ')}`
    }),
  ].join('\n')
}
