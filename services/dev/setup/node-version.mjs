const OLDEST = 18

/** What to do when the Node that runs the set-up is too old for it; undefined when it is not. `version`: "v18.20.4". */
export function tooOld(version) {
  if (Number(version.slice(1).split('.')[0]) >= OLDEST) return undefined
  return `this is Node ${version}; Node ${OLDEST} or newer is needed to begin with (Node 26 then comes with the packages): Debian 12, Ubuntu 24.04, or https://nodejs.org`
}
