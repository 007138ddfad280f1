/** The schedule in force, and who says so. */
export const scheduleText = ({ every, scheduledBy }: { every: string; scheduledBy: string }): string =>
  scheduledBy === 'cluster file' ? `${every}, by the cluster file` : `${every}, set by ${scheduledBy}`
