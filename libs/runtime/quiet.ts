/** Keeps Node from printing that a feature is experimental; every other warning is printed. */
export function quietExperiments(): void {
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') for (const print of printers) print(warning)
  })
}
