// Writes deploy/grafana/*.json from scripts/grafana/dashboards.ts; test/watching.test.ts compares them.
import { writeFile } from 'node:fs/promises'
import { dashboards } from './grafana/dashboards.ts'
import { dashboardJson } from './grafana/panels.ts'

for (const dashboard of dashboards) {
  const name = dashboard.uid.replace('evenkeel-', '')
  const file = new URL(`../deploy/grafana/${name}.json`, import.meta.url)
  await writeFile(file, dashboardJson(dashboard))
}
