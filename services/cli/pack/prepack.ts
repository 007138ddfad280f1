import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { trimManifest } from './manifest.ts'

// Builds what the npm package holds: `threadbound/client`, `threadbound/agent` and the command as JavaScript, with .d.ts.
// The package has no dependency: client and agent need none, and the command is bundled.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const DIST = join(ROOT, 'dist')

/** Some commands need services, which an installed package has not; with them would come the bundler and the levels. */
const CHECKOUT_ONLY = { 'demo.ts': 'demo', 'doctor.ts': 'doctor', 'verify-isolation.ts': 'verifyIsolation' }
const withoutServices: Plugin = {
  name: 'without-services',
  setup(builder) {
    for (const [file, name] of Object.entries(CHECKOUT_ONLY))
      builder.onResolve({ filter: new RegExp(`commands/${file}$`) }, () => ({
        path: name,
        namespace: 'checkout-only',
      }))
    builder.onLoad({ filter: /.*/, namespace: 'checkout-only' }, ({ path }) => ({
      contents: `import { checkout } from './checkout.ts'\nexport const ${path} = () => void checkout()`,
      resolveDir: join(ROOT, 'services/cli'),
      loader: 'ts',
    }))
  },
}

async function buildScripts(): Promise<void> {
  const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20' } as const
  const absWorkingDir = ROOT
  for (const name of ['client', 'agent'])
    await build({
      ...options,
      absWorkingDir,
      entryPoints: [`libs/${name}/index.ts`],
      outfile: `dist/${name}/index.js`,
    })
  await build({
    ...options,
    absWorkingDir,
    entryPoints: ['services/cli/main.ts'],
    outfile: 'dist/cli/main.js',
    plugins: [withoutServices],
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
  })
}

function buildDeclarations(): void {
  const project = join(DIST, 'tsconfig.json')
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    outDir: '.',
    rootDir: '../libs',
  }
  const include = ['../libs/client', '../libs/agent']
  writeFileSync(project, JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include }))
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project], {
    stdio: [0, 2, 2],
  })
  rmSync(project)
  for (const name of ['client', 'agent']) pointToJavaScript(join(DIST, name))
}

/** Declarations name their neighbours `./x.ts`, which only a project with that option may import. */
function pointToJavaScript(directory: string): void {
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.d.ts'))) {
    const file = join(directory, name)
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/(from '\.[^']*)\.ts'/g, `$1.js'`))
  }
}

rmSync(DIST, { recursive: true, force: true })
await buildScripts()
buildDeclarations()
trimManifest(ROOT)
