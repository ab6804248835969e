// What a dashboard asks Prometheus for: in its panels, for its choices, and for what it draws through them.

export interface PanelQuery {
  readonly title: string
  readonly expr: string
}

interface Model {
  readonly panels: readonly {
    readonly title: string
    readonly targets?: readonly { readonly expr: string }[]
  }[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition?: string }[]
  }
  readonly annotations: { readonly list: readonly PanelAnnotation[] }
}

interface PanelAnnotation {
  readonly name: string
  readonly expr: string
}

export function queriesIn(json: string): readonly PanelQuery[] {
  const { panels, templating, annotations }: Model = JSON.parse(json)
  return [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
    ...annotations.list.map(({ name, expr }) => ({ title: name, expr })),
    ...templating.list.flatMap(({ name, definition = '' }) => {
      const [, series = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
      return series === '' ? [] : [{ title: name, expr: `group by (${label}) (${series})` }]
    }),
  ]
}
