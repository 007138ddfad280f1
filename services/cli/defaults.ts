/** The data directory that commands take when none is named. */
export const DEFAULT_DATA = '.threadbound'
