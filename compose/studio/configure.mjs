// Writes the operator's choices into the two files of settings that Studio compiles in. Both are upstream's own way to have another
// Studio from the same source; nothing else of it is touched. A name that they do not have ends the build.
//
//   STUDIO_DISABLED_FEATURES=dashboard_auth:sign_up,dashboard_auth:sign_in_with_github STUDIO_TITLE="Acme Cloud" node configure.mjs <source>
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const source = process.argv[2]
const disabled = (process.env.STUDIO_DISABLED_FEATURES ?? '').split(',').map((name) => name.trim()).filter(Boolean)
const title = process.env.STUDIO_TITLE ?? ''

function change(path, values) {
  const file = join(source, path)
  const settings = JSON.parse(readFileSync(file, 'utf8'))
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith('$') || !(name in settings)) {
      console.error(`${path} has no setting ${name}`)
      process.exit(1)
    }
    settings[name] = value
  }
  writeFileSync(file, JSON.stringify(settings, null, 2) + '\n')
}

change('packages/common/enabled-features/enabled-features.json', Object.fromEntries(disabled.map((name) => [name, false])))
if (title) change('apps/studio/hooks/custom-content/custom-content.json', { 'app:title': title })
