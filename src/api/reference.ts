// /docs: the OpenAPI document as a page for people. It is made here, once, with neither script nor library: any browser shows
// it under the policy of the dashboard (W1), and `find in page` finds everything.

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

type Content = Readonly<Record<string, { readonly schema?: Schema; readonly example?: unknown }>>

interface Operation {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema?: Schema
  }[]
  readonly requestBody?: { readonly content?: Content }
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content }>
  >
}

interface Reference {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly tags?: readonly { readonly name: string; readonly description?: string }[]
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}

/** Of a document that finishDocument made. */
export function referencePage(document: object): string {
  const { info, tags = [], paths = {}, components = {} } = document as Reference
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ ...one, path, method })),
  )
  const of = (tag: string) => operations.filter((one) => one.tags?.includes(tag))
  const link = ({ operationId = '', summary = '' }: Operation) =>
    `<li><a href="#${escaped(operationId)}">${inline(summary)}</a></li>`
  const schemas = Object.entries(components.schemas ?? {})
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(info.title)}: API</title>
<link rel="icon" href="/mark.svg">
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<h1>${escaped(info.title)} ${escaped(info.version)}: API</h1>
${prose(info.description)}
<p>For programs: <a href="/openapi.json">/openapi.json</a>. The group itself: <a href="/">dashboard</a>.</p>
<nav aria-label="Operations">
${tags.map(({ name }) => `<h2>${escaped(name)}</h2>\n<ul>${of(name).map(link).join('\n')}</ul>`).join('\n')}
<h2><a href="#schemas">Schemas</a></h2>
</nav>
<main>
${tags
  .map(
    ({ name, description }) =>
      `<section>\n<h2>${escaped(name)}</h2>\n${prose(description)}\n${of(name).map(article).join('\n')}\n</section>`,
  )
  .join('\n')}
<section>
<h2 id="schemas">Schemas</h2>
${schemas.map(([name, schema]) => schemaArticle(name, schema)).join('\n')}
</section>
</main>
</body>
</html>
`
}

function article(operation: Operation & { readonly path: string; readonly method: string }) {
  const { operationId = '', summary, description, path, method, parameters = [] } = operation
  const rows = parameters.map(
    ({ name, in: where, required = false, description: what, schema = {} }) => [
      `<code>${escaped(name)}</code>`,
      required ? where : `${where}, may be left out`,
      typeOf(schema),
      inline(`${what ?? ''}${told(schema)}`),
    ],
  )
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => [
    status,
    prose(answer.description) + contentOf(answer.content),
  ])
  const body = operation.requestBody
  return `<article id="${escaped(operationId)}">
<h3>${inline(summary ?? '')}</h3>
<p><code>${method.toUpperCase()} ${escaped(path)}</code> (${escaped(operationId)})</p>
${prose(description)}
${table(['parameter', 'where', 'form', 'what'], rows)}
${body === undefined ? '' : `<h4>Body</h4>${contentOf(body.content)}`}
${table(['status', 'answer'], answers)}
</article>`
}

function contentOf(content: Content = {}): string {
  return Object.entries(content)
    .map(([type, { schema, example }]) => {
      const form = schema?.$ref === undefined ? '' : ` ${typeOf(schema)}`
      if (example === undefined) return `<p>${escaped(type)}</p>`
      const keys = schema?.properties === undefined ? '' : ', and its keys'
      const text = escaped(JSON.stringify(example, null, 2))
      return `<details><summary>${escaped(type)}${form}: an example${keys}</summary><pre>${text}</pre>${keysOf(schema ?? {})}</details>`
    })
    .join('')
}

function schemaArticle(name: string, schema: Schema) {
  return `<article id="schema-${escaped(name)}">
<h3>${escaped(name)}</h3>
${prose(schema.description)}
${keysOf(schema)}
</article>`
}

function keysOf({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([key, schema]) => [
    `<code>${escaped(key)}</code>`,
    typeOf(schema) + (required.includes(key) ? '' : ', may be left out'),
    inline(`${schema.description ?? ''}${told(schema)}`),
  ])
  return table(['key', 'form', 'what'], rows)
}

function typeOf(schema: Schema): string {
  const { $ref, type, items, anyOf } = schema
  if ($ref !== undefined) {
    const name = escaped($ref.slice($ref.lastIndexOf('/') + 1))
    return `<a href="#schema-${name}">${name}</a>`
  }
  if (schema.enum !== undefined)
    return schema.enum.map((value) => escaped(String(value))).join(' | ')
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  if (type === 'array' && items !== undefined) return `list of ${typeOf(items)}`
  return escaped(typeof type === 'string' ? type : (type ?? ['any']).join(' or '))
}

/** What of its range and default is known, as the end of a description. */
function told({ minimum, maximum, default: usual }: Schema): string {
  const range = [
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(maximum === undefined ? [] : [`at most ${maximum}`]),
    ...(usual === undefined ? [] : [`default ${JSON.stringify(usual)}`]),
  ]
  return range.length === 0 ? '' : ` (${range.join(', ')})`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const head = heads.map((one) => `<th scope="col">${one}</th>`).join('')
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table>`
}

function prose(text = ''): string {
  const parts = text.split('\n\n').filter((part) => part !== '')
  return parts.map((part) => `<p>${inline(part).replaceAll('\n', '<br>')}</p>`).join('')
}

function inline(text: string): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (one) => ESCAPES[one] ?? one)
}
