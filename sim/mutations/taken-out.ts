// Imported ahead of a script (node --import) it takes a rule out of the source as that is loaded: the mutation is named by
// EVENKEEL_MUTATION, as room/name.
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadMutations, mutate, root } from './mutation.ts'

const { EVENKEEL_MUTATION = '' } = process.env
const [room = '', name] = EVENKEEL_MUTATION.split('/')
const mutation = (await loadMutations(room)).find((one) => one.name === name)
if (mutation === undefined) throw new Error(`there is no mutation '${EVENKEEL_MUTATION}'`)
const mutated = pathToFileURL(join(root, mutation.file)).href

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context)
    if (url !== mutated) return loaded
    return { ...loaded, source: mutate(String(loaded.source), mutation) }
  },
})
