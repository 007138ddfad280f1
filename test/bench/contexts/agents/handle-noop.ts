/** When the first line of agent code ran, ms since the epoch; then it stays inside for `holdMs`. */
export async function handle({ holdMs }: { holdMs: number }): Promise<{ at: number }> {
  const at = performance.timeOrigin + performance.now()
  if (holdMs > 0) await new Promise((resolve) => setTimeout(resolve, holdMs))
  return { at }
}
