// The whole story in Studio, as a person goes through it: sign-up, organization, project, table, a row seen through SQL, delete.
// test-up.sh runs it against a platform of its own. What a page says is found by its words and roles, as a person finds it.
//
//   node story.mjs URL
import { randomBytes } from 'node:crypto'
import { chromium } from 'playwright'

const origin = process.argv[2]
if (!origin) throw new Error('usage: node story.mjs URL')

const minute = 60_000
const email = `ada-${randomBytes(4).toString('hex')}@plurabase.test`
const password = `Aa1!${randomBytes(12).toString('hex')}`
const began = Date.now()
let steps = 0

const browser = await chromium.launch()
const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } })
page.setDefaultTimeout(minute)
const broken = []
page.on('pageerror', (error) => broken.push(error.message))

// step does one thing, says how long it took, and leaves a picture where it fails.
async function step(name, act) {
  const start = Date.now()
  try {
    await act()
  } catch (error) {
    await page.screenshot({ path: 'failed.png', fullPage: true })
    throw new Error(`${name} (at ${page.url()}, see failed.png): ${error.message}`)
  }
  steps += 1
  console.log(`  ok  ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
}

// dismiss closes what lies over a page, such as the consent to telemetry, where there is any.
async function dismiss() {
  const button = page.getByRole('button', { name: /^(Opt out|Accept|Dismiss)$/ }).first()
  if (await button.isVisible()) await button.click()
}

async function signIn() {
  await page.goto(`${origin}/sign-in`)
  await page.locator('#email').fill(email)
  await page.locator('#password').fill(password)
  await page.locator('form button[type=submit], button[form][type=submit]').first().click()
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
}

let ref = ''
try {
  await step('sign up', async () => {
    await page.goto(`${origin}/sign-up`)
    await page.locator('#email').fill(email)
    await page.locator('#password').fill(password)
    await page.getByRole('button', { name: 'Sign up', exact: true }).click()
    await page.getByText('Check your email to confirm').waitFor()
  })
  await step('sign in', signIn)
  await step('make an organization', async () => {
    await page.goto(`${origin}/new`)
    await dismiss()
    await page.getByPlaceholder('Organization name').fill('Acme')
    await page.getByRole('button', { name: 'Create organization' }).click()
    await page.waitForURL(/\/new\/[a-z]{20}/)
  })
  await step('make a project', async () => {
    await page.getByPlaceholder('Project name').fill('shop')
    await page.getByPlaceholder('Type in a strong password').fill(password)
    await page.getByRole('button', { name: 'Create new project' }).click()
    await page.waitForURL(/\/project\/[a-z]{20}/)
    ref = /\/project\/([a-z]{20})/.exec(page.url())[1]
  })
  await step('wait until it runs', async () => {
    const until = Date.now() + 10 * minute
    for (;;) {
      const [response] = await Promise.all([
        page.waitForResponse((r) => r.url().endsWith(`/api/platform/projects/${ref}`) && r.ok(), { timeout: minute }),
        page.reload(),
      ])
      const { status } = await response.json()
      if (status === 'ACTIVE_HEALTHY') return
      if (status === 'INIT_FAILED' || Date.now() > until) throw new Error(`the project is ${status}`)
      await page.waitForTimeout(3000)
    }
  })
  await step('make a table', async () => {
    await page.goto(`${origin}/project/${ref}/editor`)
    await dismiss()
    await page.getByRole('button', { name: /new table|create a table/i }).first().click()
    await page.getByTestId('table-name-input').fill('orders')
    await page.getByTestId('table-editor-side-panel').getByRole('button', { name: 'Save' }).click()
    await page.getByText('orders', { exact: true }).first().waitFor()
  })
  await step('ask for it in SQL', async () => {
    await page.goto(`${origin}/project/${ref}/sql/new`)
    await page.locator('.monaco-editor').first().click()
    await page.keyboard.type("select 'rows: ' || count(*) as answer from public.orders;")
    await page.getByTestId('sql-run-button').click()
    await page.getByText('rows: 0').waitFor()
  })
  await step('delete the project', async () => {
    await page.goto(`${origin}/project/${ref}/settings/general`)
    await page.getByRole('button', { name: 'Delete project' }).click()
    const dialog = page.getByRole('dialog')
    const reason = dialog.getByRole('radio').first()
    if (await reason.isVisible()) await reason.click()
    await dialog.getByPlaceholder('Type the project name in here').fill('shop')
    await dialog.getByRole('button', { name: 'I understand, delete this project' }).click()
    await page.waitForURL((url) => !url.pathname.includes(ref))
  })
  if (broken.length > 0) throw new Error(`Studio broke: ${broken.join('; ')}`)
} finally {
  await browser.close()
}
console.log(`test-up: ok, ${steps} steps in ${Math.round((Date.now() - began) / 1000)} s`)
